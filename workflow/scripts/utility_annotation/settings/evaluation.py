"""Test sets, their averages, BM25 and question answering."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Name, Settings


class Testset(Settings):
    """Questions on which retrievers are compared."""

    dataset: Name = Field(description="A name from `datasets`.")
    split: Name = Field(description="A split of it.")
    metrics: tuple[str, ...] = Field(
        ("mrr@10", "recall@1000", "ndcg@10"),
        min_length=1,
        description="Metrics, each with a cutoff, as in ndcg@10, or over all that is retrieved, as in map.",
    )
    relevant: Literal["qrels", "labels", "answers"] = Field(
        "qrels",
        description="qrels: what the split's judgements say; labels: what the label set `labels` calls positive, and "
        "no qrels; answers: a retrieved passage that holds one of the "
        "question's ground-truth answers (with success@k, the top-k accuracy of DPR).",
    )
    labels: Name | None = Field(
        None,
        description="A label set (of a pool of this dataset and split) whose positives are relevant, beside what the "
        "qrels say or, with relevant: labels, alone; questions that it does not label are left out.",
    )
    relevance_level: int = Field(
        1, ge=1, description="Smallest grade that counts as relevant, but for a metric that uses every grade."
    )
    depth: int = Field(1000, ge=1, description="Passages retrieved a query.")
    drop_query_document: bool = Field(
        False, description="Drop the document whose id is the query's own (ArguAna, Quora)."
    )

    @model_validator(mode="after")
    def _answers_or_labels(self) -> Testset:
        if self.relevant == "answers" and self.labels is not None:
            raise ValueError("`labels` add to qrels; with relevant: answers there are none")
        if self.relevant == "labels" and self.labels is None:
            raise ValueError("relevant: labels needs `labels`, a label set")
        if self.relevant == "answers" and self.relevance_level > 1:
            raise ValueError("with relevant: answers every grade is 0 or 1, so `relevance_level` must be 1")
        return self


class Average(Settings):
    """The mean of a metric over several test sets, each counting the same."""

    testsets: tuple[Name, ...] = Field(min_length=2, description="Names from `testsets` or other `averages`.")


class BertScore(Settings):
    """The encoder by which BERTScore compares texts."""

    model: Name = Field(description="A name from `models`.")
    layer: int = Field(ge=0, description="The layer whose vectors are compared (17 of roberta-large).")


class QuestionAnswering(Settings):
    """Questions that an LLM answers from the passages that a retriever found."""

    testset: Name = Field(description="The test set whose runs supply the passages; its split has answers.")
    passages: int = Field(5, ge=1, description="How many passages, best first.")
    style: Literal["short", "sentence"] = Field(
        "short", description="What is asked for: a short answer (NQ, HotpotQA), or one of full sentences (MS MARCO QA)."
    )
    metrics: tuple[str, ...] = Field(("em", "f1"), min_length=1, description="Metrics of the answers.")
    bert_score: BertScore | None = Field(
        None, description="The encoder of a metric that compares by one; for no other metric."
    )


class Bm25(Settings):
    """The lexical baseline (Anserini)."""

    k1: float = Field(0.9, gt=0, description="Term-frequency saturation (Anserini's default; 0.82 tuned for MS MARCO).")
    b: float = Field(0.4, ge=0, le=1, description="Length normalisation (Anserini's default; 0.68 tuned for MS MARCO).")
