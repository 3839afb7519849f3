"""What decides runs."""

from __future__ import annotations

from ..settings import Annotator, Backbone, Bm25, JobSettings, Reranker


class SearchSettings(JobSettings):
    """What decides a run, beside the model's weights and the vectors."""

    backbone: Backbone
    depth: int
    drop_query_document: bool


class Bm25SearchSettings(JobSettings):
    """What decides a run of BM25, beside the index."""

    bm25: Bm25
    depth: int
    drop_query_document: bool


class ExternalRunSettings(JobSettings):
    """What of a run of others is kept."""

    path: str
    depth: int
    drop_query_document: bool


class RerankSettings(JobSettings):
    """What decides a reranked run, beside the first stage's and the model's weights."""

    reranker: Reranker | Backbone
    depth: int


class LlmRerankSettings(JobSettings):
    """What decides a run that an LLM reranks, beside the first stage's; without windows it gives likelihoods."""

    annotator: Annotator
    depth: int
    window: int | None = None
    step: int | None = None


class GenerateSettings(JobSettings):
    """The LLM that answers, how many passages it is shown, and whether it is asked without any.

    How it is to answer stands in the prompt template.
    """

    generator: Annotator
    passages: int
    without_passages: str
