"""What labels of all sources share: pool shards with one label per candidate, and the label file made of them.

No code here loops over candidates in Python, so that the paper's 491,007 × 31 candidates take seconds.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.hashing import random_order
from ..common.prefetch import ahead
from ..common.progress import counted
from ..io.schemas import LABELS, POOL
from ..settings import QuerySubset

logger = logging.getLogger(__name__)

BLOCK_QUERIES = 16_384
"""Queries per block, so that look-ups stay within the processor's cache."""

ANNOTATE_AGAIN = "delete the annotation file and run the target again, so that it is made from this pool."
LABEL_AGAIN = "delete the label file and run the target again, so that it is made from this pool."
"""Hints for files that do not fit their pool."""

Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Merged:
    """The number of labelled and of unlabelled queries of a pool.

    Attributes:
        labelled: queries with labels, including those without any positive.
        left_out: reason → number of queries without labels.
    """

    labelled: int
    left_out: dict[str, int]


@dataclass(frozen=True)
class LabelledShard:
    """A pool shard's queries and, one query after the other, their candidates.

    Attributes:
        query_ids: one per query.
        lengths: the number of candidates of each query.
        keep: whether each query gets labels.
        docids: one per candidate.
        labels: one per candidate; meaningless if the query is not kept.
        ranks: one per candidate; 0 for a candidate that is on no list.
        left_out: reason → number of chosen queries that are not kept.
        sources: who labelled each query; None where it is the label set's source.
        without_doubts: number of kept queries for which it is not known what is doubtful.
    """

    query_ids: pa.Array
    lengths: Integers
    keep: np.ndarray
    docids: pa.Array
    labels: np.ndarray
    ranks: np.ndarray
    left_out: Counter[str]
    sources: pa.Array | None = None
    without_doubts: int = 0

    def with_sources(self, sources: Sequence[str]) -> LabelledShard:
        """The same with who labelled each query."""
        return replace(self, sources=pa.array(sources, pa.string()))

    @classmethod
    def of_pool(
        cls, pool: pa.Table, keep: np.ndarray, labels: np.ndarray, ranks: np.ndarray, left_out: Counter[str]
    ) -> LabelledShard:
        """A shard's labels beside the pool that :func:`read_candidates` returned."""
        docids = pc.struct_field(flat(pool["candidates"]), "docid")
        return cls(one_piece(pool["query_id"]), lengths_of(pool["candidates"]), keep, docids, labels, ranks, left_out)


def read_candidates(path: Path | str) -> pa.Table:
    """A pool shard without its texts: ``query_id`` and ``candidates`` (list of {docid, human, rank})."""
    element = "candidates.list.element"
    with POOL.open(path) as file:
        return file.read(
            columns=["query_id", *(f"{element}.{name}" for name in ("docid", "human", "rank"))]
        ).combine_chunks()


def query_subset(query_ids: Iterable[str], subset: QuerySubset) -> pa.Array:
    """Choose round(percent / 100 · n) of n queries, in the order of a hash of (seed, query id).

    The choice depends only on the seed and the ids. A smaller share is part of every larger one of the same seed.

    Raises:
        InputError: the share is so small that no query is chosen.
    """
    ids = list(query_ids)
    size = round(subset.percent * len(ids) / 100)
    if ids and not size:
        raise InputError(
            f"{subset.percent:g} % of {len(ids)} queries is none.", hint="raise `queries.percent` of these labels."
        )
    if size == len(ids):
        return pa.array(ids, pa.string())
    return pa.array(random_order(ids, subset.seed)[:size], pa.string())


def chosen_queries(pools: Sequence[Path | str], subset: QuerySubset) -> list[np.ndarray]:
    """A mask over the queries of each shard: those that belong to the subset.

    Raises:
        InputError: a query is in more than one shard, or no query is chosen.
    """
    shards = [one_piece(POOL.read(pool, ["query_id"])["query_id"]) for pool in pools]
    query_ids = pa.chunked_array(shards, pa.string())
    if pc.count_distinct(query_ids).as_py() != len(query_ids):
        repeated = next(count["values"] for count in pc.value_counts(query_ids).to_pylist() if count["counts"] > 1)
        raise InputError(
            f"query {repeated} is in more than one shard of the pool.",
            hint="give each shard once, and only shards of one pool.",
            path=Path(pools[0]).parent,
        )
    if subset.percent == 100:
        return [np.ones(len(shard), bool) for shard in shards]
    mask = to_numpy(pc.is_in(query_ids, value_set=query_subset(query_ids.to_pylist(), subset)))
    return np.split(mask, np.cumsum([len(shard) for shard in shards])[:-1])


def find_candidates(rows: Integers, docids: pa.Array, pool: pa.Table) -> pa.Array:
    """The place of passage ``docids[i]`` of query ``rows[i]`` among the shard's candidates, or null."""
    names = pc.unique(docids)
    codes = pc.index_in(pc.struct_field(flat(pool["candidates"]), "docid"), value_set=names)
    listed = np.flatnonzero(to_numpy(codes.is_valid()))  # candidates that any query names
    owners = np.searchsorted(np.cumsum(lengths_of(pool["candidates"])), listed, side="right")
    keys = owners * len(names) + to_numpy(codes.drop_null())
    wanted = rows * len(names) + to_numpy(pc.index_in(docids, value_set=names))
    found = pc.index_in(pa.array(wanted, pa.int64()), value_set=pa.array(keys, pa.int64()))
    return pa.array(listed, pa.int64()).take(found)


def write_labels(shards: Sequence[LabelledShard], source: str, output: Path | str, hint: str) -> Merged:
    """Write the candidates of the kept queries as schema ``LABELS``, by query id and then in the pool's order.

    Args:
        shards: all shards of the pool, in any order; the rows do not depend on how many there are.
        source: the label set's source.
        output: the file to write.
        hint: what to do if no query is left.

    Raises:
        InputError: no query is left.
    """
    labelled = sum(int(shard.keep.sum()) for shard in shards)
    left_out = dict(sum((shard.left_out for shard in shards), Counter[str]()))
    if not labelled:
        raise InputError(
            f"no query is left to label: {left_out or 'the pool is empty'}.",
            hint=hint,
            path=output,
        )
    _write(shards, source, output)
    logger.info("labelled %d queries; left out: %s", labelled, left_out or "none")
    return Merged(labelled, left_out)


def _write(shards: Sequence[LabelledShard], source: str, output: Path | str) -> None:
    with LABELS.writer(output) as writer:
        for table in ahead(_tables(shards, source)):
            writer.write(table)


def _tables(shards: Sequence[LabelledShard], source: str) -> Iterator[pa.Table]:
    """The labels in blocks; 64-bit offsets, since all shards are joined."""
    query_ids = pa.concat_arrays([shard.query_ids for shard in shards])
    ranks = np.concatenate([shard.ranks for shard in shards])
    candidates = pa.StructArray.from_arrays(
        [
            pa.concat_arrays([shard.docids.cast(pa.large_string()) for shard in shards]),
            pa.array(np.concatenate([shard.labels for shard in shards])),
            pa.array(ranks, pa.int32(), mask=ranks == 0),
        ],
        ["docid", "label", "rank"],
    )
    lengths = np.concatenate([shard.lengths for shard in shards])
    sources = pa.concat_arrays(
        [pa.repeat(source, len(shard.query_ids)) if shard.sources is None else shard.sources for shard in shards]
    )
    of_query = pa.LargeListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(lengths)])), candidates)
    kept = np.flatnonzero(np.concatenate([shard.keep for shard in shards]))
    order = kept[to_numpy(pc.sort_indices(query_ids.take(pa.array(kept))))]
    blocks = range(0, len(order), BLOCK_QUERIES)
    for block in counted(blocks, "writing labels", f"blocks of {BLOCK_QUERIES:,} queries"):
        rows = order[block : block + BLOCK_QUERIES]
        listed = of_query.take(pa.array(rows)).flatten()
        yield LABELS.table(
            {
                "query_id": query_ids.take(pa.array(np.repeat(rows, lengths[rows]))),
                "docid": listed.field("docid").cast(pa.string()),
                "label": listed.field("label"),
                "rank": listed.field("rank"),
                "source": sources.take(pa.array(np.repeat(rows, lengths[rows]))),
            }
        )


def one_piece(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, copied only if necessary."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def flat(lists: pa.ChunkedArray) -> pa.Array:
    """All entries of a column of lists, one after the other."""
    return pc.list_flatten(one_piece(lists))


def lengths_of(lists: pa.ChunkedArray) -> Integers:
    """The length of each list of a column; 0 for a missing one."""
    return to_numpy(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)


def to_numpy(array: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """An Arrow column as a NumPy array."""
    return (one_piece(array) if isinstance(array, pa.ChunkedArray) else array).to_numpy(zero_copy_only=False)
