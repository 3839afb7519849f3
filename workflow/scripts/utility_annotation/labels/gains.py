"""How much better an LLM answers with each candidate alone than without any passage, by a metric of answers.

It is the utility of a passage for one LLM (arXiv 2510.11358): the metric of the answer with the passage, less that of
the answer without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from ..common.errors import InputError
from ..io.schemas import ANNOTATION
from .shards import ANNOTATE_AGAIN

NO_TRUTH = "without a ground-truth answer"
"""Why a query is not labelled."""

_BLOCK_QUERIES = 1024
_ONE_AT_A_TIME = Lock()
"""Metrics share tokenizers, which no two threads may use at the same time."""


@dataclass(frozen=True)
class GroundTruth:
    """What answers are compared with, and how.

    Attributes:
        answers: the ground-truth answers of each query that has some.
        measure: a metric of answers: gets answers and the ground-truth answers to the question of each, and returns a
            value from 0 to 1 per answer.
    """

    answers: Mapping[str, Sequence[str]]
    measure: Callable[[Sequence[str], Sequence[Sequence[str]]], np.ndarray]


def with_gains(annotation: pa.Table, pool: pa.Table, truth: GroundTruth, path: Path) -> pa.Table:
    """The rows of a shard with the gain of each candidate as its score.

    Args:
        annotation: query_id, outcome, named, docids and replies of the pool's queries, in their order.
        pool: the shard's queries and candidates.
        truth: what the answers are compared with.
        path: the annotation, for messages.

    Returns:
        query_id, outcome, named and scores: of each candidate the gain, from -1 to 1, or null if its answer could not
        be read. A query without a ground-truth answer has the outcome :data:`NO_TRUTH`.

    Raises:
        InputError: a row has fewer answers than one for each passage that it lists, and one more.
    """
    rows: list[dict[str, Any]] = []
    for start in range(0, pool.num_rows, _BLOCK_QUERIES):
        answered = annotation.slice(start, _BLOCK_QUERIES).to_pylist()
        candidates = pool["candidates"].slice(start, _BLOCK_QUERIES).to_pylist()
        with _ONE_AT_A_TIME:
            gains = _gains(answered, truth, path)
        for row, shown, gain in zip(answered, candidates, gains, strict=True):
            scores = None
            if gain is not None:
                known = {docid: gain.get(docid) for docid in (each["docid"] for each in shown)} | gain
                scores = [{"docid": docid, "score": score} for docid, score in known.items()]
            outcome = NO_TRUTH if row["outcome"] == "ok" and gain is None else row["outcome"]
            rows.append({"query_id": row["query_id"], "outcome": outcome, "named": row["named"], "scores": scores})
    names = ("query_id", "outcome", "named", "scores")
    return pa.Table.from_pylist(rows, pa.schema([ANNOTATION.schema.field(name) for name in names]))


def _gains(rows: Sequence[Mapping[str, Any]], truth: GroundTruth, path: Path) -> list[dict[str, float] | None]:
    """By docid, the gains of each row; None for one that is not ok, or has no ground-truth answer."""
    texts: list[str] = []
    references: list[Sequence[str]] = []
    for row in rows:
        if row["outcome"] != "ok":
            continue
        if row["docids"] is None or len(row["replies"]) <= len(row["docids"]):
            raise InputError(
                f"the row of query {row['query_id']} does not have one answer for each of its passages and one without "
                f"any, but {len(row['replies'])}.",
                hint=ANNOTATE_AGAIN,
                path=path,
            )
        if known := truth.answers.get(row["query_id"]):
            texts += _answers(row)
            references += [known] * len(_answers(row))
    values = truth.measure(texts, references) if texts else np.empty(0)
    found: list[dict[str, float] | None] = []
    for row in rows:
        if row["outcome"] != "ok" or row["query_id"] not in truth.answers:
            found.append(None)
            continue
        own, values = np.split(values, [len(_answers(row))])
        found.append(dict(zip(row["docids"], (own[1:] - own[0]).tolist(), strict=True)))
    return found


def _answers(row: Mapping[str, Any]) -> list[str]:
    """The answer without a passage, and that with each listed one."""
    return list(row["replies"][: len(row["docids"]) + 1])
