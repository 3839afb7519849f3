"""Labels of source ``file``: positives read from a file in a published format."""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.progress import counted
from ..io.formats import read_judgements
from ..io.schemas import POOL
from ..settings import Labels, Source
from .shards import (
    Integers,
    LabelledShard,
    Merged,
    chosen_queries,
    find_candidates,
    lengths_of,
    read_candidates,
    to_numpy,
    write_labels,
)

_LOG = logging.getLogger(__name__)

_BLOCK_ROWS = 1 << 16


def label_from_file(settings: Labels, pools: Sequence[Path | str], output: Path | str) -> Merged:
    """Label a pool by a file of judgements, see :func:`~.labels.shards.write_labels`.

    A grade of ``relevance_level`` or more is positive. All other candidates of a query in the file are negative.
    Queries of the pool that are not in the file are left out and counted. A repeated judgement counts once.

    Args:
        settings: the file, what to do with passages outside the pool, and the queries chosen from the pool.
        pools: the pool's shards.
        output: the file to write.

    Raises:
        InputError: a bad line, two judgements of one passage that disagree, a ``relevance_level`` above 1 that no grade
            reaches, no query left, or, unless
            ``unknown_passages`` is ``drop``, a judgement of a query or passage that the pool lacks.
    """
    if settings.file is None:
        raise InputError(f"labels of source {settings.source} name no file.", hint="give `file` in these labels.")
    source = settings.file
    judged = _read(source, settings.relevance_level)
    if settings.relevance_level > 1 and not judged.positive.any():
        raise InputError(
            f"no passage has a grade of {settings.relevance_level} or more, so none is positive.",
            hint="lower `relevance_level` of these labels, or name a file with positives.",
            path=source.path,
        )
    chosen = chosen_queries(pools, settings.queries)
    query_ids = pa.concat_tables(POOL.read(pool, ["query_id"]) for pool in pools)["query_id"]
    numbers = pc.index_in(judged.query_ids, value_set=query_ids)
    strange_queries = np.flatnonzero(to_numpy(numbers.is_null()))
    if len(strange_queries) and settings.unknown_passages == "error":
        row = int(strange_queries[0])
        raise _not_in_pool(f"query {judged.query_ids[row].as_py()!r}", source, judged.lines[row])
    numbers = to_numpy(pc.fill_null(numbers, -1)).astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    starts = np.cumsum([0, *(len(mask) for mask in chosen)])
    bounds = np.searchsorted(numbers[order], starts)
    shards, strange = [], len(strange_queries)
    for place, (path, mask) in enumerate(zip(counted(pools, "labelling", "shards"), chosen, strict=True)):
        rows = order[bounds[place] : bounds[place + 1]]
        owners = numbers[rows] - starts[place]
        shard, unknown = _label_shard(judged, rows, owners, read_candidates(path), mask, settings)
        shards.append(shard)
        strange += unknown
    if strange:
        _LOG.warning("%s: dropped %d judgements of queries or passages that the pool lacks", source.path, strange)
    return write_labels(shards, settings.source, output, "check that the file is of this pool's dataset and split.")


@dataclass(frozen=True)
class _Judged:
    """The judgements of a file, in its order."""

    query_ids: pa.ChunkedArray
    docids: pa.ChunkedArray
    positive: np.ndarray
    lines: Integers


def _read(source: Source, relevance_level: int) -> _Judged:
    """All judgements, in Arrow's memory: the ids and a few words per row."""
    query_ids: list[pa.Array] = []
    docids: list[pa.Array] = []
    positive, lines = array("b"), array("q")
    block: tuple[list[str], list[str]] = [], []

    def flush() -> None:
        for column, values in zip((query_ids, docids), block, strict=True):
            column.append(pa.array(values, pa.string()))
            values.clear()

    for judgement in read_judgements(source):
        block[0].append(judgement.query_id)
        block[1].append(judgement.docid)
        positive.append(judgement.grade >= relevance_level)
        lines.append(judgement.line)
        if len(block[0]) == _BLOCK_ROWS:
            flush()
    flush()
    return _Judged(
        pa.chunked_array(query_ids),
        pa.chunked_array(docids),
        np.asarray(positive).astype(bool),
        np.asarray(lines, np.int64),
    )


def _label_shard(
    judged: _Judged, rows: Integers, owners: Integers, pool: pa.Table, chosen: np.ndarray, settings: Labels
) -> tuple[LabelledShard, int]:
    """The labels of a pool shard, and the number of judgements of passages that it lacks.

    Args:
        judged: all judgements.
        rows: those of this shard's queries, one query after the other and each in the file's order.
        owners: for each of them, the number of its query within the shard.
        pool: the shard.
        chosen: which of its queries are wanted.
        settings: the label set.
    """
    assert settings.file is not None
    docids = judged.docids.take(pa.array(rows)).combine_chunks()
    found = find_candidates(owners, docids, pool)
    strange = np.flatnonzero(to_numpy(found.is_null()))
    if len(strange) and settings.unknown_passages == "error":
        row = rows[strange[0]]
        passage = f"passage {judged.docids[row].as_py()!r} for query {judged.query_ids[row].as_py()!r}"
        raise _not_in_pool(passage, settings.file, judged.lines[row])
    known = to_numpy(found.is_valid())
    places, positive = to_numpy(found.drop_null()), judged.positive[rows[known]]
    _check_agreement(judged, rows[known], places, settings.file)
    labels = np.zeros(int(lengths_of(pool["candidates"]).sum()), np.float32)
    labels[places[positive]] = 1
    lines_of_query = np.bincount(owners, minlength=len(chosen))
    line_in_query = np.arange(len(owners)) - np.repeat(np.cumsum(lines_of_query) - lines_of_query, lines_of_query)
    ranks = np.zeros(len(labels), np.int32)
    ranks[places[::-1]] = 1 + line_in_query[known][::-1]  # backwards, so that the first of several lines counts
    named = np.zeros(len(chosen), bool)
    named[owners] = True
    left_out = Counter({"not in the file": int(np.count_nonzero(chosen & ~named))})
    return LabelledShard.of_pool(pool, chosen & named, labels, ranks, +left_out), len(strange)


def _check_agreement(judged: _Judged, rows: Integers, places: Integers, source: Source) -> None:
    """Refuse a candidate that one line calls positive and another negative."""
    positive = judged.positive[rows]
    both = np.intersect1d(places[positive], places[~positive])
    if len(both):
        here = places == both[0]
        first, last = sorted(int(rows[here & mask][0]) for mask in (positive, ~positive))
        raise InputError(
            f"passage {judged.docids[last].as_py()!r} is {'positive' if judged.positive[last] else 'negative'} for "
            f"query {judged.query_ids[last].as_py()!r} here, but not on line {judged.lines[first]}.",
            hint="keep one of the two lines.",
            path=source.path,
            line=int(judged.lines[last]),
        )


def _not_in_pool(what: str, source: Source, line: int) -> InputError:
    return InputError(
        f"{what} is not in the pool.",
        hint="remove the line, label a pool that has it, or set `unknown_passages` of these labels to drop.",
        path=source.path,
        line=int(line),
    )
