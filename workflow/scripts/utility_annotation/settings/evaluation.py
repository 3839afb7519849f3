"""Test sets, their averages, BM25 and question answering."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from .base import Name, Settings
from .hub import DataPath
from .metrics import MetricName


class Testset(Settings):
    """Questions on which retrievers are compared."""

    dataset: Name = Field(description="A name from `datasets`.")
    split: Name = Field(description="A split of that dataset.")
    metrics: tuple[MetricName, ...] = Field(
        ("mrr@10", "recall@1000", "ndcg@10"),
        min_length=1,
        description="Metrics, each with a cutoff (ndcg@10) or over the whole ranking (map). The spellings of trec_eval "
        "and ranx (ndcg_cut_10, P_10, MRR@10) are understood. No cutoff is beyond `depth`. The default ends there.",
    )
    relevant: Literal["qrels", "labels", "answers"] = Field(
        "qrels",
        description="What counts as relevant. qrels: the split's judgements; labels: the positives of the label set "
        "`labels`, without qrels; answers: a retrieved passage that contains one of the question's ground-truth "
        "answers (with success@k, DPR's top-k accuracy).",
    )
    labels: Name | None = Field(
        None,
        description="A label set of a pool of this dataset and split. Its positives are relevant in addition to the "
        "qrels, or alone with relevant: labels. Questions that it does not label are left out.",
    )
    relevance_level: int = Field(
        1, ge=1, description="Lowest grade that counts as relevant. Metrics that use every grade ignore it."
    )
    training_copies: Literal["keep", "drop"] = Field(
        "keep",
        description="What happens to questions that a training has too, with the same words but for case, punctuation, "
        "order and English function words. They are counted below tables, and results/training-copies/TESTSET.parquet "
        "names them. drop leaves them out of all figures.",
    )
    depth: int = Field(1000, ge=1, description="Passages retrieved per query.")
    drop_query_document: bool = Field(
        False, description="Whether to drop the document that has the query's own id (ArguAna, Quora)."
    )
    query_length: int | None = Field(
        None,
        ge=4,
        description="Maximum number of query tokens in this test set's searches, special tokens included; by default "
        "the backbone's. Training keeps the backbone's. BM25 reads whole queries and passages.",
    )
    passage_length: int | None = Field(
        None,
        ge=4,
        description="The same for passages. A retriever encodes a corpus once for each length that its test sets have.",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_metrics_end_at_the_depth(cls, values: Any) -> Any:
        depth = values.get("depth") if isinstance(values, dict) else None
        if not isinstance(depth, int) or "metrics" in values:
            return values
        parts = (metric.split("@") for metric in cls.model_fields["metrics"].default)
        return {**values, "metrics": [f"{name}@{min(int(cutoff), max(depth, 1))}" for name, cutoff in parts]}

    @model_validator(mode="after")
    def _answers_or_labels(self) -> Testset:
        if self.relevant == "answers" and self.labels is not None:
            raise ValueError("`labels` add to qrels; with relevant: answers there are none")
        if self.relevant == "labels" and self.labels is None:
            raise ValueError("relevant: labels needs `labels`, a label set")
        if self.relevant == "answers" and self.relevance_level > 1:
            raise ValueError("with relevant: answers every grade is 0 or 1, so `relevance_level` must be 1")
        return self


class ExternalRun(Settings):
    """A retriever that others ran: its rankings are files."""

    files: dict[Name, DataPath] = Field(
        min_length=1, description="By test set, the path of a TREC run (query id, Q0, docid, rank, score, tag)."
    )


class Average(Settings):
    """The mean of a metric over several test sets, all with the same weight."""

    testsets: tuple[Name, ...] = Field(min_length=2, description="Names from `testsets` or other `averages`.")


class BertScore(Settings):
    """The encoder of BERTScore."""

    model: Name = Field(description="A name from `models`.")
    layer: int = Field(
        ge=0, description="The layer whose vectors are compared (9 for bert-base-uncased, 17 for roberta-large)."
    )


class QuestionAnswering(Settings):
    """Questions that an LLM answers from retrieved passages."""

    testset: Name = Field(description="The test set whose rankings supply the passages. Its split needs answers.")
    passages: int = Field(5, ge=1, description="Number of passages that the LLM reads, best first.")
    without_passages: Literal["answer", "abstain"] = Field(
        "answer",
        description="What the LLM does with a question of which no passage is found or selected. answer: it answers "
        "from what it knows; abstain: it is not asked, and the question counts as answered wrongly. Both are counted.",
    )
    style: Literal["short", "sentence"] = Field(
        "short", description="The form of the answers: short (NQ, HotpotQA), or full sentences (MS MARCO QA)."
    )
    metrics: tuple[MetricName, ...] = Field(("em", "f1"), min_length=1, description="Metrics of the answers.")
    bert_score: BertScore | None = Field(
        None, description="The encoder of bert-score; leave it out without that metric."
    )


class Bm25(Settings):
    """The lexical baseline (Anserini)."""

    k1: float = Field(
        0.9, gt=0, description="Term-frequency saturation (0.9 is Anserini's default; 0.82 is tuned for MS MARCO)."
    )
    b: float = Field(
        0.4, ge=0, le=1, description="Length normalisation (0.4 is Anserini's default; 0.68 is tuned for MS MARCO)."
    )
