"""What decides judgements and metrics."""

from __future__ import annotations

from ..settings import JobSettings


class MergeQrelsSettings(JobSettings):
    """The grade that a positive label counts as."""

    relevance_level: int


class MatchSettings(JobSettings):
    """What decides how far down a ranking passages are judged."""

    metrics: tuple[str, ...]


class EvaluateSettings(JobSettings):
    """What is evaluated, and how."""

    testset: str
    metrics: tuple[str, ...]
    relevance_level: int


class EvaluateAnswersSettings(JobSettings):
    """By which metrics answers are evaluated; ``layer`` is that of bert-score."""

    metrics: tuple[str, ...]
    layer: int | None = None
