"""Labels and pools joined into one memory-mapped file with random access by query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.progress import counted
from ..io.schemas import CANDIDATE, POOL, passage_text
from ..labels.rows import LabelRows

_SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("candidates", pa.list_(CANDIDATE), nullable=False),
        pa.field("labels", pa.list_(pa.float32()), nullable=False),
        pa.field("ranks", pa.list_(pa.int32()), nullable=False),
    ]
)


@dataclass(frozen=True)
class Candidates:
    """The labelled candidates of one query, in the pool's order, without their texts."""

    query_id: str
    docids: list[str]
    labels: npt.NDArray[np.float32]
    human: npt.NDArray[np.bool_]
    ranks: npt.NDArray[np.int32]
    """0 for a candidate that is on no list, see :data:`.io.schemas.LABELS`."""


class TrainingData:
    """Random access to the labelled queries, in the order of their ids; texts stay on disk until needed.

    Args:
        path: a file that :func:`join` wrote.
    """

    def __init__(self, path: Path | str) -> None:
        self._table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        ids = self._table["query_id"].to_pylist()
        self._rows = sorted(range(len(ids)), key=ids.__getitem__)
        self._candidates, self._labels = self._table["candidates"], self._table["labels"]
        self._ranks = self._table["ranks"]

    def __len__(self) -> int:
        return len(self._rows)

    def candidates(self, query: int) -> Candidates:
        """The candidates of the query at this place."""
        row = self._rows[query]
        values = self._candidates[row].values
        return Candidates(
            self._table["query_id"][row].as_py(),
            values.field("docid").to_pylist(),
            self._labels[row].values.to_numpy(),
            values.field("human").to_numpy(zero_copy_only=False),
            self._ranks[row].values.to_numpy(),
        )

    def questions(self) -> set[tuple[str, str]]:
        """The id of each query with its text: queries of other data may have the same ids."""
        return set(zip(self._table["query_id"].to_pylist(), self._table["query"].to_pylist(), strict=True))

    def query(self, query: int) -> str:
        """The text of the query at this place."""
        return self._table["query"][self._rows[query]].as_py()

    def passage(self, query: int, candidate: int) -> str:
        """Title and text of a candidate, as a model reads them."""
        value = self._candidates[self._rows[query]].values[candidate]
        return passage_text(value["title"].as_py(), value["text"].as_py())

    def all_labels(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Labels and human flags of all candidates in a row, and for each the place of its query."""
        places = np.empty(len(self), dtype=np.int64)
        places[self._rows] = np.arange(len(self))
        labels = np.concatenate([chunk.flatten().to_numpy() for chunk in self._labels.chunks])
        human = np.concatenate(
            [chunk.flatten().field("human").to_numpy(zero_copy_only=False) for chunk in self._candidates.chunks]
        )
        counts = np.concatenate([chunk.value_lengths().to_numpy() for chunk in self._labels.chunks])
        return labels, human, np.repeat(places, counts)


def join(labels: Path | str, pools: Sequence[Path | str], path: Path | str, *, titles: bool = True) -> None:
    """Write one Arrow file (temporary name, then rename): a row per labelled query with its candidates and labels.

    Memory holds the ids, the labels and one piece of the pool at a time, never all texts. Without ``titles`` every
    title is null.

    Raises:
        InputError: there are no labels; a labelled query is in no pool file or in two, or has other candidates there.
    """
    rows = LabelRows(labels)
    if not len(rows):
        raise InputError("there are no labels.", hint="check the stage that makes them.", path=labels)
    with atomic_write(path) as temporary, pa.ipc.new_file(temporary, _SCHEMA) as file:
        for pool in counted(pools, "joining labels and pool", "shards"):
            for batch in POOL.batches(pool):
                file.write_batch(_join_batch(batch, rows, pool, titles=titles))
        rows.check_all_found()


def _join_batch(batch: pa.RecordBatch, rows: LabelRows, pool: Path | str, *, titles: bool) -> pa.RecordBatch:
    found = rows.of_shard(pa.Table.from_batches([batch]), pool)
    kept = batch.filter(pa.array(found.labelled))
    candidates = kept.column("candidates")
    offsets = pa.array(np.concatenate([[0], np.cumsum(candidates.value_lengths().to_numpy())]), pa.int32())
    if not titles:
        columns = candidates.flatten().flatten()
        columns[CANDIDATE.get_field_index("title")] = pa.nulls(len(columns[0]), pa.string())
        candidates = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=list(CANDIDATE)))
    return pa.record_batch(
        [
            kept.column("query_id"),
            kept.column("query"),
            candidates,
            pa.ListArray.from_arrays(offsets, pa.array(found.labels, pa.float32())),
            pa.ListArray.from_arrays(offsets, pa.array(found.ranks, pa.int32())),
        ],
        schema=_SCHEMA,
    )
