"""What the job of each rule takes: memory and time that it asks a scheduler for, and the work that the audit counts.

This is the only table of it: a new rule is one entry here. The audit reports a rule without an entry as not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

from ..annotation.stages import STAGES
from .annotation import rule

Closely = Literal[
    "file",
    "model",
    "documents",
    "annotation",
    "training",
    "encoding",
    "search",
    "reranking",
    "llm-reranking",
    "scoring",
    "llm-selection",
    "answering",
    "answer-evaluation",
]
"""Work that has a function of its own in ``audit/workload.py``."""


@dataclass(frozen=True)
class Reads:
    """Work of CPUs, which is counted coarsely: what a job goes through, and what it leaves of each.

    Attributes:
        what: passages of a corpus; questions of a split; candidates of a pool or of its labelled questions; hits of a
            run.
        texts: whether it reads their texts, or ids and figures alone.
        bytes_each, bytes_a_word: bytes of its outputs together, for each that it goes through and for each word.
    """

    what: Literal["passages", "questions", "candidates", "hits"]
    texts: bool = True
    bytes_each: float = 0
    bytes_a_word: float = 0


_BESIDE_WEIGHTS_MB = 6000
"""Memory of a job beside its model: libraries, texts, vectors."""
LEAST_MINUTES = 10
"""Any job asks for this much time: a busy node and a slow disk take minutes that no audit counts."""


@dataclass(frozen=True)
class Request:
    """What a job asks for, and what it does.

    Attributes:
        mem_mb: megabytes of memory; None for the profile's default.
        runtime: minutes of a job of which the audit does not know how long it takes; None for the profile's default in
            any case.
        work: how the audit counts its work; None for no more than the start of its script.
        process_mb: megabytes of each process after the first, where every GPU has one.
    """

    mem_mb: int | None = None
    runtime: int | None = None
    work: Closely | Reads | None = None
    process_mb: int = 0

    def megabytes(self, gpus: int, attempt: int, weights: float) -> int:
        """Memory of an attempt: each asks for as much more as the first.

        Args:
            gpus: of the job.
            attempt: from 1.
            weights: megabytes for a model's weights. Those of a small model are in the rule's own figure.
        """
        assert self.mem_mb is not None, "it asks for no memory of its own"
        return max(self.mem_mb + self.process_mb * max(gpus - 1, 0), ceil(_BESIDE_WEIGHTS_MB + weights)) * attempt

    def minutes(self, predicted: float | None, attempt: int) -> int:
        """Time of an attempt: the first asks for twice the predicted seconds, the next for three times, and so on."""
        if predicted is None:
            assert self.runtime is not None, "it asks for no time of its own"
            return self.runtime * attempt
        return max(ceil(predicted / 60 * (attempt + 1)), LEAST_MINUTES * attempt)


PLAIN_BYTES_A_WORD = 7
"""Text as JSON lines: 6.8 measured on MS MARCO's passages, 7.3 on SciFact's."""
TEXT_BYTES_A_WORD = 2.7
"""Text in parquet with zstd: 2.5 measured on MS MARCO's passages, 2.8 on SciFact's."""
INDEX_BYTES_A_WORD = 1.3
"""Anserini's index, measured on 227,470 MS MARCO passages."""
RUN_BYTES = 54
"""A hit in parquet and in TREC's format, measured on 540,000 rows of BM25."""

TARGETS = ("all", "labels", "models", "tables", "figures", "paper", "check")
"""The targets that every configuration has; each table and figure is one too."""

REQUESTS: Mapping[str, Request] = {
    **dict.fromkeys(("fetch", "fetch_hub_file", "fetch_hub_folder"), Request(work="file")),
    "unpack": Request(work="file"),
    "prepare_model": Request(6000, work="model"),
    "ingest_corpus": Request(work=Reads("passages", bytes_each=4, bytes_a_word=TEXT_BYTES_A_WORD)),
    "ingest_documents": Request(8000, work="documents"),
    "ingest_passages": Request(4000, work="documents"),
    "ingest_queries": Request(work=Reads("questions", bytes_each=4, bytes_a_word=TEXT_BYTES_A_WORD)),
    "ingest_qrels": Request(work=Reads("questions", bytes_each=8)),
    "ingest_answers": Request(work=Reads("questions", bytes_each=4, bytes_a_word=TEXT_BYTES_A_WORD)),
    **dict.fromkeys(("read_questions", "collect_questions", "keep_questions"), Request(4000)),
    "find_duplicates": Request(work=Reads("candidates")),
    "mine_negatives": Request(work=Reads("candidates", texts=False, bytes_each=12)),
    "build_pool": Request(work=Reads("candidates", bytes_each=8, bytes_a_word=TEXT_BYTES_A_WORD)),
    "sample_passages": Request(4000, work=Reads("passages", texts=False)),
    "divide_pool": Request(work=Reads("candidates", bytes_each=8, bytes_a_word=TEXT_BYTES_A_WORD)),
    **{rule(name): Request(16000, stage.runtime, "annotation") for name, stage in STAGES.items()},
    "merge_labels": Request(4000, work=Reads("candidates", texts=False, bytes_each=8)),
    **dict.fromkeys(("label_agreement", "grade_agreement"), Request(4000)),
    "label_quality": Request(4000, work=Reads("candidates", texts=False)),
    "sample_annotations": Request(2000),
    "annotation_cost": Request(2000),
    "compare_retrievers": Request(4000),
    "train": Request(16000, 960, "training", process_mb=4000),
    "encode": Request(8000, 240, "encoding"),
    "search": Request(16000, 240, "search"),
    "bm25_index": Request(8000, 240, Reads("passages", bytes_a_word=INDEX_BYTES_A_WORD)),
    "bm25_search": Request(8000, 240, Reads("hits", bytes_each=RUN_BYTES)),
    "rerank": Request(8000, 240, "reranking"),
    "rerank_by_llm": Request(16000, 480, "llm-reranking"),
    "score_pool": Request(8000, 240, "scoring"),
    "calibrate": Request(4000),
    "select": Request(4000, work=Reads("hits", texts=False, bytes_each=RUN_BYTES / 2)),
    "select_by_llm": Request(16000, 480, "llm-selection"),
    "read_external_run": Request(4000, work=Reads("hits", texts=False, bytes_each=RUN_BYTES / 2)),
    "match_answers": Request(4000, work=Reads("hits", bytes_each=8)),
    "merge_qrels": Request(4000),
    "find_training_copies": Request(4000),
    "judge_agreement": Request(4000),
    "evaluate": Request(4000, work=Reads("hits", texts=False)),
    "generate_answers": Request(16000, 480, "answering"),
    "evaluate_answers": Request(8000, 120, "answer-evaluation"),
    **dict.fromkeys(("average_metrics", "results_table", "label_table", "cost_table"), Request()),
    **dict.fromkeys(("plot_results", "plot_lines", "plot_labels", "plot_positives", "plot_positions"), Request()),
    "plot_calibration": Request(),
    **dict.fromkeys(("plot_training", "write_verdict", "write_report", "export_model"), Request()),
    "export_labels": Request(work=Reads("candidates", bytes_a_word=PLAIN_BYTES_A_WORD)),
}
"""By rule, along the way of the workflow; the rules of pools, one a pool, share the entry ``build_pool``."""
