"""A label file looked up by the shards of its pool."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.schemas import LABELS
from .shards import LABEL_AGAIN, Integers, flat, lengths_of, to_numpy


class ShardLabels(NamedTuple):
    """The labels of some of a pool's queries.

    Attributes:
        labelled: whether each query is labelled; shape (queries,).
        labels: the labels of the labelled queries' candidates, one query after the other; fp32.
        ranks: their ranks; int32, 0 for a candidate that is on no list.
    """

    labelled: np.ndarray
    labels: np.ndarray
    ranks: np.ndarray


class LabelRows:
    """The rows of a label file, by query, in the order in which :func:`~.labels.shards.write_labels` writes them.

    Args:
        path: a file of schema ``LABELS``.
    """

    def __init__(self, path: Path | str) -> None:
        table = LABELS.read(path, ["query_id", "docid", "label", "rank"])
        self.path = path
        query_ids = pc.unique(table["query_id"])
        numbers = to_numpy(pc.index_in(table["query_id"], value_set=query_ids))
        self._sizes = np.bincount(numbers, minlength=len(query_ids))
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._docids = table["docid"].cast(pa.large_string()).combine_chunks()  # 64-bit offsets: they may exceed 2 GB
        self._labels = to_numpy(table["label"])
        self._ranks = to_numpy(pc.fill_null(table["rank"], 0))
        self._numbers = {query_id: number for number, query_id in enumerate(query_ids.to_pylist())}
        self._found = np.zeros(len(query_ids), bool)

    def __len__(self) -> int:
        """Number of labelled queries."""
        return len(self._numbers)

    def of_shard(self, pool: pa.Table, path: Path | str) -> ShardLabels:
        """The labels of a pool shard, or of some of its rows.

        Args:
            pool: the columns ``query_id`` and ``candidates`` (list of structs with a ``docid``).
            path: the shard's file, for messages.

        Raises:
            InputError: the label file has other candidates for one of these queries, or has them in another order; or
                a query comes a second time.
        """
        known = np.array([self._numbers.get(query_id, -1) for query_id in pool["query_id"].to_pylist()], np.int64)
        labelled = known >= 0
        numbers = known[labelled]
        self._check_new(numbers, path)
        lengths = lengths_of(pool["candidates"])
        docids = pc.struct_field(flat(pool["candidates"]), "docid").filter(pa.array(np.repeat(labelled, lengths)))
        rows = _stretches(self._starts[numbers], self._sizes[numbers])
        same_sizes = np.array_equal(self._sizes[numbers], lengths[labelled])
        if not same_sizes or not self._docids.take(pa.array(rows)).equals(docids.cast(pa.large_string())):
            raise InputError(
                f"these are not the candidates of pool shard {path}, in its order.", hint=LABEL_AGAIN, path=self.path
            )
        self._found[numbers] = True
        return ShardLabels(labelled, self._labels[rows], self._ranks[rows])

    def check_all_found(self) -> None:
        """Check, after the last shard, that the pool has every labelled query.

        Raises:
            InputError: it lacks some.
        """
        missing = [query_id for query_id, number in self._numbers.items() if not self._found[number]]
        if missing:
            raise InputError(
                f"query {missing[0]!r} is labelled, but no pool file has it ({len(missing)} such queries).",
                hint=f"give all shards of the pool that was labelled; or {LABEL_AGAIN}",
                path=self.path,
            )

    def _check_new(self, numbers: Integers, path: Path | str) -> None:
        repeated = numbers[self._found[numbers] | (np.bincount(numbers, minlength=1)[numbers] > 1)]
        if len(repeated):
            query_id = next(query_id for query_id, number in self._numbers.items() if number == repeated[0])
            raise InputError(
                f"query {query_id!r} stands twice in the pool.",
                hint="give each shard of the pool once, all with the same total in their names.",
                path=path,
            )


def _stretches(starts: Integers, lengths: Integers) -> Integers:
    """The places start, start + 1, … of several stretches, one after the other."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
