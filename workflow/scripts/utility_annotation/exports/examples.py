"""Labelled queries with the texts of their candidates, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..common.progress import counted

Passage = dict[str, Any]
"""A candidate of a pool: ``docid``, ``title`` (or None), ``text``."""


@dataclass(frozen=True)
class Example:
    """A labelled query.

    Attributes:
        positives: in the order of the labels' list, then in the pool's order.
        negatives: the rest of the pool, in its order.
        candidates: the whole pool, in its order, which says nothing of the labels.
    """

    query_id: str
    query: str
    positives: list[Passage]
    negatives: list[Passage]
    candidates: list[Passage]

    @property
    def lacks(self) -> str:
        """What a training example needs and this one lacks: a positive, a negative, or nothing (empty)."""
        return "" if self.positives and self.negatives else "a negative" if self.positives else "a positive"


@dataclass(frozen=True)
class Examples:
    """The labelled queries of a pool; they can be iterated several times.

    Attributes:
        path: a file that :func:`~..training.data.join` wrote.
        trainable: whether a query that lacks a positive or a negative is left out.
    """

    path: Path
    trainable: bool = False

    def __iter__(self) -> Iterator[Example]:
        with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as file:
            for number in counted(range(file.num_record_batches), "reading the queries", "batches"):
                for row in file.get_batch(number).to_pylist():
                    judged = list(zip(row["candidates"], row["labels"], row["ranks"], strict=True))
                    positives = [(rank or len(judged) + 1, passage) for passage, label, rank in judged if label > 0]
                    positives.sort(key=lambda ranked: ranked[0])
                    negatives = [passage for passage, label, _ in judged if label <= 0]
                    found = [passage for _, passage in positives]
                    example = Example(row["query_id"], row["query"], found, negatives, row["candidates"])
                    if not (self.trainable and example.lacks):
                        yield example
