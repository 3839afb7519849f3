"""Labelled queries with the texts of their candidates, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..common.progress import counted
from ..io.label_values import is_ignored, is_negative, is_positive

Passage = dict[str, Any]
"""A candidate of a pool: ``docid``, ``title`` (or None), ``text``."""


@dataclass(frozen=True)
class Example:
    """A labelled query.

    Attributes:
        positives: in the order of the labels' list, then in the pool's order.
        grades: of the positives, in their order; 1 where labels have no grades.
        negatives: in the pool's order.
        ignored: what the labels call neither positive nor negative, in the pool's order.
        judged: the positives and the negatives, in the pool's order, which says nothing of the labels.
    """

    query_id: str
    query: str
    positives: list[Passage]
    grades: list[int]
    negatives: list[Passage]
    ignored: list[Passage]
    judged: list[Passage]

    @property
    def lacks(self) -> str:
        """What a training example needs and this one lacks: a positive, a negative, or nothing (empty)."""
        return "" if self.positives and self.negatives else "a negative" if self.positives else "a positive"

    def left_out(self, trains: bool) -> str:
        """Why files leave this query out, which may hold training examples; empty if they hold it."""
        if not self.judged:
            return "with nothing but ignored candidates"
        return f"without {self.lacks}" if trains and self.lacks else ""


@dataclass(frozen=True)
class Examples:
    """The labelled queries of a pool; they can be iterated several times.

    Attributes:
        path: a file that :func:`~..training.data.join` wrote.
        trains: whether the files hold training examples; queries that such files leave out are skipped. None for all
            queries.
    """

    path: Path
    trains: bool | None = None

    def __iter__(self) -> Iterator[Example]:
        with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as file:
            for number in counted(range(file.num_record_batches), "reading the queries", "batches"):
                for row in file.get_batch(number).to_pylist():
                    example = _example(row)
                    if self.trains is None or not example.left_out(self.trains):
                        yield example


def _example(row: Mapping[str, Any]) -> Example:
    """The labelled query of a row of the joined file."""
    candidates, labels = row["candidates"], np.array(row["labels"], np.float32)
    ranks = (rank or len(candidates) + 1 for rank in row["ranks"])
    listed = list(zip(ranks, candidates, map(int, labels), strict=True))
    positives = sorted(compress(listed, is_positive(labels)), key=lambda ranked: ranked[0])
    return Example(
        row["query_id"],
        row["query"],
        [passage for _, passage, _ in positives],
        [grade for *_, grade in positives],
        list(compress(candidates, is_negative(labels))),
        list(compress(candidates, is_ignored(labels))),
        list(compress(candidates, ~is_ignored(labels))),
    )
