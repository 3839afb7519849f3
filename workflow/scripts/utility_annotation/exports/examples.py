"""Labelled queries with the texts of their candidates, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..common.progress import counted
from ..io.schemas import passage_text
from ..training.data import join


@dataclass(frozen=True)
class ExportedPassage:
    """A candidate; models read its ``full_text``."""

    docid: str
    title: str | None
    text: str

    @property
    def full_text(self) -> str:
        """Title and text, as :func:`~.io.schemas.passage_text` joins them."""
        return passage_text(self.title, self.text)


@dataclass(frozen=True)
class Example:
    """A labelled query.

    Attributes:
        positives: in the order of the labels' list, then in the pool's order.
        negatives: the rest of the pool, in its order.
    """

    query_id: str
    query: str
    positives: tuple[ExportedPassage, ...]
    negatives: tuple[ExportedPassage, ...]


class Examples:
    """The labelled queries of a pool; they can be iterated several times.

    Args:
        path: a file that :func:`~..training.data.join` wrote.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Example]:
        with pa.memory_map(str(self._path)) as source, pa.ipc.open_file(source) as file:
            for number in counted(range(file.num_record_batches), "reading the queries", "batches"):
                for row in file.get_batch(number).to_pylist():
                    yield _example(row)


@contextmanager
def examples(labels: Path, pools: Sequence[Path], scratch: Path) -> Iterator[Examples]:
    """The labelled queries of a pool; memory holds ids, labels and one piece of the pool at a time.

    Args:
        labels: labels of the pool's candidates, 1 or 0.
        pools: its shards.
        scratch: a temporary file, as large as the pool's texts.

    Raises:
        InputError: labels and pool do not belong together.
    """
    try:
        join(labels, pools, scratch)
        yield Examples(scratch)
    finally:
        scratch.unlink(missing_ok=True)


def _example(row: dict[str, Any]) -> Example:
    passages = [ExportedPassage(one["docid"], one["title"], one["text"]) for one in row["candidates"]]
    labelled = list(zip(passages, row["labels"], row["ranks"], strict=True))
    positives = [(rank or len(passages) + 1, passage) for passage, label, rank in labelled if label > 0]
    return Example(
        row["query_id"],
        row["query"],
        tuple(passage for _, passage in sorted(positives, key=lambda ranked: ranked[0])),
        tuple(passage for passage, label, _ in labelled if label <= 0),
    )
