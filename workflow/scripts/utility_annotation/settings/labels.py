"""Label sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Name, Settings, TwoNames
from .data import Source
from .metrics import MetricName


class QuerySubset(Settings):
    """A seeded random part of the queries. With the same seed, the 20 % are part of the 30 %."""

    percent: float = Field(100.0, gt=0, le=100, description="Percentage of the queries.")
    seed: int = Field(
        13, description="Seed of the choice. With the same seed, a smaller percentage is part of a larger one."
    )


class Labels(Settings):
    """Labels for every candidate of a pool, from one source."""

    pool: Name = Field(description="A name from `pools`.")
    source: Name = Field(
        description="Where the labels come from: humans, an annotation stage, other label sets, or a file."
    )
    annotator: Name | None = Field(
        None, description="A name from `annotators`. Needed when the source is an annotation stage."
    )
    top_percent: float = Field(
        10,
        gt=0,
        le=100,
        description="utilrank: the percentage of the ranking that is positive, from its top, and at least one passage. "
        "A passage that the LLM did not rank is negative.",
    )
    ignore: Name | None = Field(
        None,
        exclude_if=lambda stage: stage is None,  # so that a label set without it is no other than before there was it
        description="An annotation stage that selects, such as relsel, of the same annotator. What it selected and the "
        "source does not call positive is ignored: neither positive nor negative.",
    )
    of: tuple[Name, ...] = Field(
        (),
        description="union, vote: names from `labels`, all of the same pool; cascade: of the same pool or of parts of "
        "it, and the first one that labels a question decides.",
    )
    voting: Literal["share", "dawid-skene"] = Field(
        "share",
        exclude_if=lambda voting: voting == "share",
        description="vote: share: by the weight of the members that call a candidate positive; dawid-skene: by how far "
        "each member can be trusted, which is estimated from where they agree; needs three members or more.",
    )
    weights: dict[Name, Annotated[float, Field(gt=0)]] = Field(
        {},
        exclude_if=lambda weights: not weights,
        description="vote by share: the weights of members; 1 for one that is not named.",
    )
    reranker: TwoNames = Field(
        "",
        description="selector: whose scores decide: RERANKER/TRAINING, RERANKER/untrained, or a retriever, such as "
        "BACKBONE/untrained.",
    )
    calibration: Name | None = Field(
        None,
        description="selector: a name from `labels`: of questions on which the reranker is not trained. By them its "
        "scores become probabilities.",
    )
    method: str = Field("isotonic", description="selector: How scores become probabilities.")
    threshold: float = Field(
        0.5, gt=0, lt=1, description="selector, vote: The lowest probability, or share of the votes, of a positive."
    )
    file: Source | None = Field(
        None,
        description="file: positives as qrels (trec, beir, msmarco, jsonl) or training rows (tevatron).",
    )
    relevance_level: int = Field(
        1,
        ge=1,
        description="file, and stages that grade: the lowest grade that is positive. Human labels take the "
        "`relevance_level` of their pool.",
    )
    metric: MetricName | None = Field(
        None,
        exclude_if=lambda metric: metric is None,
        description="gain-short, gain-sentence: the metric that compares answers with the ground truth.",
    )
    margin: float = Field(
        0.0,
        ge=0,
        lt=1,
        exclude_if=lambda margin: margin == 0,
        description="gain-short, gain-sentence: a passage is positive if the metric of the answer with it is higher by "
        "more than this than that of the answer without any passage.",
    )
    unknown_passages: Literal["error", "drop"] = Field(
        "error",
        description="file: what to do with a label whose passage or question is not in the pool; drop leaves it out "
        "and logs how many there were.",
    )
    queries: QuerySubset = Field(QuerySubset(), description="Which queries are labelled.")

    @model_validator(mode="after")
    def _voters_are_enough_and_known(self) -> Labels:
        if self.voting == "dawid-skene" and len(self.of) == 2:
            raise ValueError("`voting: dawid-skene` needs three label sets or more: of two, nothing says who is right")
        if strangers := self.weights.keys() - set(self.of):
            raise ValueError(f"`weights` names {min(strangers)!r}, which is not in `of`")
        return self
