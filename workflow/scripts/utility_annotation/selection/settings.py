"""What decides selections."""

from __future__ import annotations

from ..settings import Annotator, Backbone, JobSettings, Name, Reranker


class ScoreSettings(JobSettings):
    """What decides the scores of a pool's candidates, beside the model's weights."""

    reranker: Reranker | Backbone
    titles: bool


class SelectSettings(JobSettings):
    """What decides which passages are kept, beside the scores and their calibration."""

    method: str
    threshold: float
    depth: int


class LlmSelectSettings(JobSettings):
    """What decides which passages an LLM keeps, beside the ranking; ``stages`` are those of the annotation."""

    annotator: Annotator
    stages: tuple[Name, ...]
    depth: int
