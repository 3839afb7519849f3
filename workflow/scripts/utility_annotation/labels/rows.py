"""A label file looked up by the shards of its pool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.schemas import LABELS
from .shards import Integers, flat, lengths_of, to_numpy

_LABEL_AGAIN = "remove the label file and run the target again, so that it is made from this pool."


class LabelRows:
    """The rows of a label file, by query. Its order is that which :func:`~.labels.shards.write_labels` keeps.

    Args:
        path: a file of schema ``LABELS``.
    """

    def __init__(self, path: Path | str) -> None:
        table = LABELS.read(path, ["query_id", "docid", "label", "rank"])
        self.path = path
        self._query_ids = pc.unique(table["query_id"])
        numbers = to_numpy(pc.index_in(table["query_id"], value_set=self._query_ids))
        self._sizes = np.bincount(numbers, minlength=len(self._query_ids))
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._docids = table["docid"].cast(pa.large_string()).combine_chunks()  # 64-bit offsets: they may exceed 2 GB
        self._labels = to_numpy(table["label"])
        self._ranks = to_numpy(pc.fill_null(table["rank"], 0))
        self._found = 0

    def of_shard(self, pool: pa.Table, path: Path | str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The labels and ranks of a pool shard.

        Args:
            pool: what :func:`~.labels.shards.read_candidates` read.
            path: the shard's file, for messages.

        Returns:
            Whether each query is labelled; shape (queries,). The labels of the candidates of those that are, one query
            after the other, fp32. Their ranks, int32; 0 for a candidate that is on no list.

        Raises:
            InputError: the file has other candidates for one of these queries, or has them in another order.
        """
        numbers = pc.index_in(pool["query_id"], value_set=self._query_ids)
        labelled = to_numpy(numbers.is_valid())
        numbers = to_numpy(numbers.drop_null())
        lengths = lengths_of(pool["candidates"])
        docids = pc.struct_field(flat(pool["candidates"]), "docid").filter(pa.array(np.repeat(labelled, lengths)))
        rows = _stretches(self._starts[numbers], self._sizes[numbers])
        if not np.array_equal(self._sizes[numbers], lengths[labelled]) or not self._docids.take(pa.array(rows)).equals(
            docids.cast(pa.large_string())
        ):
            raise InputError(
                f"these are not the candidates of pool shard {path}, in its order.", hint=_LABEL_AGAIN, path=self.path
            )
        self._found += len(numbers)
        return labelled, self._labels[rows], self._ranks[rows]

    def check_all_found(self) -> None:
        """Once all shards of the pool were looked up: refuse a file with queries that none of them has."""
        if self._found != len(self._query_ids):
            raise InputError(
                f"{len(self._query_ids) - self._found} of its queries are not in the pool.",
                hint=_LABEL_AGAIN,
                path=self.path,
            )


def _stretches(starts: Integers, lengths: Integers) -> Integers:
    """The places start, start + 1, … of several stretches, one after the other."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
