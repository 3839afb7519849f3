"""Label sets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Name, Settings
from .data import Source


class QuerySubset(Settings):
    """A seeded random part of the queries, nested: the 20 % are part of the 30 % of the same seed."""

    percent: float = Field(100.0, gt=0, le=100, description="Share of the queries.")
    seed: int = Field(13, description="Seed of the choice.")


NOT_ANNOTATED = ("human", "union", "file")
"""Sources of labels that no annotation stage makes."""


class Labels(Settings):
    """Labels of every candidate of a pool, from one source."""

    pool: Name = Field(description="A name from `pools`.")
    source: Name = Field(description="Where the labels come from: humans, an annotation stage, label sets, a file.")
    annotator: Name | None = Field(None, description="A name from `annotators`, for an annotation strategy.")
    top_percent: float = Field(
        10, gt=0, le=100, description="utilrank: this share of the ranked list is positive, at least one passage."
    )
    of: tuple[Name, ...] = Field((), description="union: names from `labels`, of the same pool.")
    file: Source | None = Field(
        None,
        description="file: positives as qrels (trec, beir, msmarco, jsonl; a grade of 1 or more) or training rows "
        "(tevatron).",
    )
    unknown_passages: Literal["error", "drop"] = Field(
        "error",
        description="file: what to do with a label of a passage or question that the pool lacks; drop counts them.",
    )
    queries: QuerySubset = Field(QuerySubset(), description="Which queries are labelled.")

    @property
    def annotated(self) -> bool:
        """Whether an LLM makes them."""
        return self.source not in NOT_ANNOTATED

    @model_validator(mode="after")
    def _source_has_what_it_needs(self) -> Labels:
        if self.annotated != (self.annotator is not None):
            raise ValueError(
                f"labels of source {self.source} {'need' if self.annotated else 'must have no'} `annotator`"
            )
        if (self.source == "union") != (len(self.of) > 1):
            raise ValueError("labels of source union need two label sets or more as `of`, others none")
        if (self.source == "file") != (self.file is not None):
            raise ValueError("labels of source file need `file`, others must have none")
        return self
