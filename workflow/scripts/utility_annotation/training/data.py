"""Labels and pools joined into one memory-mapped file with random access by query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.progress import counted
from ..io.schemas import CANDIDATE, LABELS, POOL, passage_text

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
    """The labelled candidates of one query, in the order of the labels' rows, without their texts."""

    query_id: str
    docids: list[str]
    labels: npt.NDArray[np.float32]
    human: npt.NDArray[np.bool_]
    ranks: npt.NDArray[np.int32]
    """0 for a candidate that is on no list, see :data:`.io.schemas.LABELS`."""


class TrainingData:
    """Random access to the labelled queries, in the order of their ids; texts stay on disk until asked for.

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


def join(labels: Path | str, pools: Sequence[Path | str], path: Path | str) -> None:
    """Write one Arrow file (temporary name, then rename) with a row a labelled query: its candidates and their labels.

    Memory holds the ids and labels and one piece of the pool at a time, never all texts.

    Raises:
        InputError: a labelled query is in no pool file or in two, a labelled docid is not among its candidates, or a
            candidate stands twice in one pool.
    """
    by_query = _LabelsByQuery(labels)
    with atomic_write(path) as temporary, pa.ipc.new_file(temporary, _SCHEMA) as file:
        for pool in counted(pools, "joining labels and pool", "shards"):
            for batch in POOL.batches(pool):
                file.write_batch(_join_batch(batch, by_query, pool))
        unseen = sorted(by_query.missing())
        if unseen:
            raise InputError(
                f"query {unseen[0]!r} is labelled, but no pool file has it ({len(unseen)} such queries).",
                hint="give all shards of the pool that was labelled.",
                path=labels,
            )


class _LabelsOfQuery(NamedTuple):
    docids: list[str]
    labels: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.int32]


class _LabelsByQuery:
    """The labels' rows, grouped by query, in file order within each."""

    def __init__(self, path: Path | str) -> None:
        table = LABELS.read(path, columns=["query_id", "docid", "label", "rank"])
        if not len(table):
            raise InputError("there are no labels.", hint="look at the stage that makes them.", path=path)
        self.path = path
        encoded = table["query_id"].combine_chunks().dictionary_encode()
        codes = encoded.indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        self._starts = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
        self._docids = table["docid"].combine_chunks().take(pa.array(order))
        self._labels = table["label"].to_numpy()[order]
        self._ranks = pc.fill_null(table["rank"], 0).to_numpy()[order]
        self._codes = {query_id: code for code, query_id in enumerate(encoded.dictionary.to_pylist())}
        self._seen = np.zeros(len(self._codes), dtype=bool)

    def missing(self) -> Iterator[str]:
        return (query_id for query_id, code in self._codes.items() if not self._seen[code])

    def pop(self, query_id: str, pool: Path | str) -> _LabelsOfQuery | None:
        """The labels of a query, or none where it has no labels."""
        code = self._codes.get(query_id)
        if code is None:
            return None
        if self._seen[code]:
            raise InputError(
                f"query {query_id!r} stands twice in the pool.",
                hint="give each shard of the pool once, all with the same total in their names.",
                path=pool,
            )
        self._seen[code] = True
        part = slice(self._starts[code], self._starts[code + 1])
        return _LabelsOfQuery(self._docids[part].to_pylist(), self._labels[part], self._ranks[part])


def _join_batch(batch: pa.RecordBatch, by_query: _LabelsByQuery, pool: Path | str) -> pa.RecordBatch:
    pools = batch.column("candidates")
    values, starts = pools.values, pools.offsets.to_numpy()
    docids = values.field("docid").to_pylist()
    rows: list[int] = []
    picked: list[int] = []
    labelled: list[_LabelsOfQuery] = []
    for row, query_id in enumerate(batch.column("query_id").to_pylist()):
        found = by_query.pop(query_id, pool)
        if found is None:
            continue
        places = {docids[place]: place for place in range(starts[row], starts[row + 1])}
        if len(places) < starts[row + 1] - starts[row]:
            raise InputError(
                f"a passage stands twice among the candidates of query {query_id!r}.",
                hint="remove the pool and build it again.",
                path=pool,
            )
        for docid in found.docids:
            if docid not in places:
                raise InputError(
                    f"passage {docid!r} is labelled for query {query_id!r}, but is no candidate of it in {pool}.",
                    hint="label this pool anew, or give the pool that was labelled.",
                    path=by_query.path,
                )
            picked.append(places[docid])
        rows.append(row)
        labelled.append(found)
    offsets = pa.array(np.concatenate([[0], np.cumsum([len(part.docids) for part in labelled])]), pa.int32())
    labels = np.concatenate([np.empty(0, np.float32), *(part.labels for part in labelled)])
    ranks = np.concatenate([np.empty(0, np.int32), *(part.ranks for part in labelled)])
    taken = batch.take(pa.array(rows, pa.int64()))
    return pa.record_batch(
        [
            taken.column("query_id"),
            taken.column("query"),
            pa.ListArray.from_arrays(
                offsets, values.take(pa.array(picked, pa.int64())), type=_SCHEMA.field("candidates").type
            ),
            pa.ListArray.from_arrays(offsets, pa.array(labels, pa.float32())),
            pa.ListArray.from_arrays(offsets, pa.array(ranks, pa.int32())),
        ],
        schema=_SCHEMA,
    )
