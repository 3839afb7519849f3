"""Labels: what the LLM selected, ranked or scored, or what humans marked, as one row a candidate of the pool.

A query's row in an annotation shard becomes one label a candidate: 1 for a positive and 0 for the rest of the pool, or,
for replug, the log-likelihood of the ground-truth answer given the candidate. Nothing here loops over candidates in
Python, so that the paper's 491,007 × 31 candidates take seconds.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .configuration import Labels, QuerySubset
from .contracts import ANNOTATION, LABELS, OUTCOMES, POOL
from .errors import InputError
from .hashing import random_order

logger = logging.getLogger(__name__)

_BLOCK_QUERIES = 16_384
_USABLE_OUTCOMES = {False: ["ok", "empty"], True: ["ok"]}
_ANNOTATE_AGAIN = "remove the annotation file and run the target again, so that it is made from this pool."

Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Merged:
    """What became of the queries of a pool.

    Attributes:
        labelled: queries with labels, those without any positive included.
        left_out: outcome → number of queries without labels (unparsable, truncated or failed replies).
    """

    labelled: int
    left_out: dict[str, int]


def merge_labels(
    settings: Labels, pools: Sequence[Path | str], annotations: Sequence[Path | str], output: Path | str
) -> Merged:
    """Merge the shards of a pool and of one annotation stage into one LABELS file, ordered by query id.

    The rows do not depend on how many shards there are. A query whose outcome is ``empty`` keeps its candidates, all of
    them negative (an empty replug row has no scores and is left out); queries whose outcome is neither ``ok`` nor
    ``empty`` are left out and counted.

    Args:
        settings: source, threshold and subset of queries.
        pools: the pool's shards.
        annotations: the annotation's shards, named as the pool's; none for human labels.
        output: the file to write.

    Raises:
        InputError: the shards do not belong together, a query or docid stands in only one of them, or no query is left.
    """
    pairs = pair_shards(pools, annotations if settings.source != "human" else None)
    chosen = _chosen(pools, settings.queries)
    with ThreadPoolExecutor(pa.cpu_count()) as threads:
        shards = list(threads.map(partial(_label_shard, settings), pairs, chosen))
    labelled = sum(int(shard.keep.sum()) for shard in shards)
    left_out = dict(sum((shard.left_out for shard in shards), Counter[str]()))
    if not labelled:
        raise InputError(
            f"no query is left to label: {left_out or 'the pool is empty'}.",
            mend="look at the replies in the annotation files; another annotator or protocol may be needed.",
            path=output,
        )
    _write(shards, settings.source, output)
    logger.info("labelled %d queries; left out: %s", labelled, left_out or "none")
    return Merged(labelled, left_out)


def query_subset(query_ids: Iterable[str], subset: QuerySubset) -> pa.Array:
    """Choose round(percent / 100 · n) of n queries, in the order of a hash of (seed, query id).

    The choice depends on the seed and the ids alone, and a smaller share is part of every larger one of the same seed.

    Raises:
        InputError: the share is so small that no query is chosen.
    """
    ids = list(query_ids)
    size = round(subset.percent * len(ids) / 100)
    if ids and not size:
        raise InputError(
            f"{subset.percent:g} % of {len(ids)} queries is none.", mend="raise `queries.percent` of these labels."
        )
    if size == len(ids):
        return pa.array(ids, pa.string())
    return pa.array(random_order(ids, subset.seed)[:size], pa.string())


def read_candidates(path: Path | str) -> pa.Table:
    """A pool shard without its texts: ``query_id`` and ``candidates`` (list of {docid, human})."""
    element = "candidates.list.element"
    with POOL.open(path) as file:
        return file.read(columns=["query_id", f"{element}.docid", f"{element}.human"]).combine_chunks()


def pair_shards(
    pools: Sequence[Path | str], annotations: Sequence[Path | str] | None
) -> list[tuple[Path, Path | None]]:
    """Each pool shard with the annotation shard of the same file name; with None where there are no annotations.

    Raises:
        InputError: a shard of one kind has no partner of the other.
    """
    if annotations is None:
        return [(Path(pool), None) for pool in pools]
    by_name = {Path(annotation).name: Path(annotation) for annotation in annotations}
    pairs: list[tuple[Path, Path | None]] = []
    for pool in map(Path, pools):
        if pool.name not in by_name:
            raise InputError("this pool shard has no annotation shard.", mend="annotate it first.", path=pool)
        pairs.append((pool, by_name.pop(pool.name)))
    for orphan in by_name.values():
        raise InputError(
            "this annotation shard has no pool shard of the same name.",
            mend="give the shards of the pool from which it was made, and no others.",
            path=orphan,
        )
    return pairs


@dataclass(frozen=True)
class _Shard:
    """A shard's queries and, one query after the other, their candidates.

    Attributes:
        query_ids: one a query.
        lengths: the number of its candidates.
        keep: whether it is chosen and its annotation of use.
        docids: one a candidate.
        labels: one a candidate, of no meaning where the query is not kept.
        left_out: outcome → number of chosen queries that are not kept.
    """

    query_ids: pa.Array
    lengths: Integers
    keep: np.ndarray
    docids: pa.Array
    labels: np.ndarray
    left_out: Counter[str]


def _chosen(pools: Sequence[Path | str], subset: QuerySubset) -> list[np.ndarray]:
    """A mask over the queries of each shard: those that belong to the subset."""
    shards = [_array(POOL.read(pool, ["query_id"])["query_id"]) for pool in pools]
    query_ids = pa.chunked_array(shards, pa.string())
    if pc.count_distinct(query_ids).as_py() != len(query_ids):
        repeated = next(count["values"] for count in pc.value_counts(query_ids).to_pylist() if count["counts"] > 1)
        raise InputError(
            f"query {repeated} stands in more than one shard of the pool.",
            mend="give each shard once, and only shards of one pool.",
            path=Path(pools[0]).parent,
        )
    if subset.percent == 100:
        return [np.ones(len(shard), bool) for shard in shards]
    mask = _numpy(pc.is_in(query_ids, value_set=query_subset(query_ids.to_pylist(), subset)))
    return np.split(mask, np.cumsum([len(shard) for shard in shards])[:-1])


def _label_shard(settings: Labels, paths: tuple[Path, Path | None], chosen: np.ndarray) -> _Shard:
    """The labels of a pool's shard and its annotation, if any; reading and labelling release Python's lock."""
    pool_path, annotation_path = paths
    pool = read_candidates(pool_path)
    candidates = _flat(pool["candidates"])
    left_out: Counter[str] = Counter()
    if annotation_path is None:
        keep = chosen
        labels = _numpy(pc.struct_field(candidates, "human")).astype(np.float32)
    else:
        annotation = _read_annotation(settings, annotation_path, pool)
        usable = _numpy(pc.is_in(annotation["outcome"], pa.array(_USABLE_OUTCOMES[settings.source == "replug"])))
        keep = chosen & usable
        unusable = annotation["outcome"].filter(pa.array(chosen & ~usable))
        left_out.update({count["values"]: count["counts"] for count in pc.value_counts(unusable).to_pylist()})
        labels = _llm_labels(settings, annotation, annotation_path, pool)
    return _Shard(
        _array(pool["query_id"]),
        _lengths(pool["candidates"]),
        keep,
        pc.struct_field(candidates, "docid"),
        labels,
        left_out,
    )


def _read_annotation(settings: Labels, path: Path, pool: pa.Table) -> pa.Table:
    """The shard's rows in the pool's order: query_id, outcome and what the source needs."""
    column = "scores" if settings.source == "replug" else "docids"
    annotation = ANNOTATION.read(path, ["query_id", "outcome", column]).combine_chunks()
    place = pc.index_in(pool["query_id"], value_set=annotation["query_id"])
    missing = pc.filter(pool["query_id"], pc.is_null(place))
    if len(missing):
        raise InputError(f"query {missing[0]} of the pool is not annotated here.", mend=_ANNOTATE_AGAIN, path=path)
    if annotation.num_rows != pool.num_rows:
        strangers = pc.filter(
            annotation["query_id"], pc.invert(pc.is_in(annotation["query_id"], value_set=pool["query_id"]))
        )
        found = f"query {strangers[0]} is not in the pool's shard" if len(strangers) else "a query stands here twice"
        raise InputError(f"{found}.", mend=_ANNOTATE_AGAIN, path=path)
    annotation = annotation.take(place).combine_chunks()
    unknown = pc.filter(annotation["outcome"], pc.invert(pc.is_in(annotation["outcome"], pa.array(OUTCOMES))))
    if len(unknown):
        raise InputError(f"{unknown[0].as_py()!r} is no outcome of an annotation.", mend=_ANNOTATE_AGAIN, path=path)
    bare = pc.filter(
        annotation["query_id"], pc.and_(pc.equal(annotation["outcome"], "ok"), pc.is_null(annotation[column]))
    )
    if len(bare):
        raise InputError(
            f"query {bare[0]} has the outcome ok but no {column}, which {settings.source} labels are made of.",
            mend=f"give the annotation of the stage {settings.source}.",
            path=path,
        )
    return annotation


def _llm_labels(settings: Labels, annotation: pa.Table, path: Path, pool: pa.Table) -> np.ndarray:
    """One label a candidate of the shard, in the pool's order; 0 where the outcome is not ok.

    Done in blocks, which keep the look-up of passages within the processor's cache.
    """
    blocks = [
        _block_labels(
            settings,
            annotation.slice(start, _BLOCK_QUERIES).combine_chunks(),
            path,
            pool.slice(start, _BLOCK_QUERIES).combine_chunks(),
        )
        for start in range(0, pool.num_rows, _BLOCK_QUERIES)
    ]
    return np.concatenate([np.empty(0, np.float32), *blocks])


def _block_labels(settings: Labels, annotation: pa.Table, path: Path, pool: pa.Table) -> np.ndarray:
    rows = np.flatnonzero(_numpy(pc.equal(annotation["outcome"], "ok")))
    listed = annotation["scores" if settings.source == "replug" else "docids"].take(pa.array(rows))
    lengths = _lengths(listed)
    entries = _flat(listed)
    docids = pc.struct_field(entries, "docid") if settings.source == "replug" else entries
    if settings.source == "utilrank":
        leading = _leading(lengths, settings.top_percent)
        docids, rows = docids.filter(pa.array(leading)), np.repeat(rows, lengths)[leading]
    else:
        rows = np.repeat(rows, lengths)
    places = _find(rows, docids, pool, path)
    labels = np.zeros(int(_lengths(pool["candidates"]).sum()), np.float32)
    if settings.source == "replug":
        labels[places] = _scores(annotation, lengths, pool, entries, path)
    else:
        labels[places] = 1
    return labels


def _leading(lengths: Integers, top_percent: float) -> np.ndarray:
    """Mask over concatenated lists: the first floor(top_percent / 100 · length) entries of each, at least one."""
    kept = np.maximum(1, np.floor(top_percent * lengths / 100))
    place_in_list = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return place_in_list < np.repeat(kept, lengths)


def _find(rows: Integers, docids: pa.Array, pool: pa.Table, path: Path) -> Integers:
    """The places among the shard's candidates of the passages ``docids`` of the queries at ``rows``."""
    names = pc.unique(docids)
    codes = pc.index_in(pc.struct_field(_flat(pool["candidates"]), "docid"), value_set=names)
    listed = np.flatnonzero(_numpy(codes.is_valid()))  # the candidates that some query names, its own or another's
    owners = np.searchsorted(np.cumsum(_lengths(pool["candidates"])), listed, side="right")
    keys = owners * len(names) + _numpy(codes.drop_null())
    wanted = rows * len(names) + _numpy(pc.index_in(docids, value_set=names))
    found = pc.index_in(pa.array(wanted, pa.int64()), value_set=pa.array(keys, pa.int64()))
    if found.null_count:
        strange = int(np.flatnonzero(_numpy(found.is_null()))[0])
        raise InputError(
            f"passage {docids[strange]} is not among the candidates of query {pool['query_id'][rows[strange]]}.",
            mend=_ANNOTATE_AGAIN,
            path=path,
        )
    places = listed[_numpy(found)]
    repeated = np.flatnonzero(np.bincount(places, minlength=1) > 1)
    if len(repeated):
        entry = np.flatnonzero(places == repeated[0])[0]
        raise InputError(
            f"passage {docids[entry]} is listed twice for query {pool['query_id'][rows[entry]]}.",
            mend=_ANNOTATE_AGAIN,
            path=path,
        )
    return places


def _scores(annotation: pa.Table, lengths: Integers, pool: pa.Table, entries: pa.Array, path: Path) -> np.ndarray:
    """The scores of ``entries``; refuses a query that lacks one, and a score that is no number."""
    ok = _numpy(pc.equal(annotation["outcome"], "ok"))
    short = np.flatnonzero(lengths != _lengths(pool["candidates"])[ok])
    if len(short):
        query_id = pool["query_id"].filter(pa.array(ok))[short[0]]
        raise InputError(f"query {query_id} has no score for some of its candidates.", mend=_ANNOTATE_AGAIN, path=path)
    scores = _numpy(pc.fill_null(pc.struct_field(entries, "score"), np.nan))
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise InputError(
            f"the score of passage {entries[broken[0]]['docid']} is not a finite number.",
            mend="run its annotation in a wider number format (`precision`).",
            path=path,
        )
    return scores


def _write(shards: Sequence[_Shard], source: str, output: Path | str) -> None:
    """Write the candidates of the kept queries, ordered by query id; 64-bit offsets, since all shards are joined."""
    query_ids = pa.concat_arrays([shard.query_ids for shard in shards])
    docids = pa.concat_arrays([shard.docids.cast(pa.large_string()) for shard in shards])
    labels = np.concatenate([shard.labels for shard in shards])
    lengths = np.concatenate([shard.lengths for shard in shards])
    starts = np.cumsum(lengths) - lengths
    kept = np.flatnonzero(np.concatenate([shard.keep for shard in shards]))
    order = kept[_numpy(pc.sort_indices(query_ids.take(pa.array(kept))))]
    with LABELS.writer(output) as writer:
        for block in range(0, len(order), _BLOCK_QUERIES):
            rows = order[block : block + _BLOCK_QUERIES]
            places = _places(starts[rows], lengths[rows])
            writer.write(
                LABELS.table(
                    {
                        "query_id": query_ids.take(pa.array(np.repeat(rows, lengths[rows]))),
                        "docid": docids.take(pa.array(places)).cast(pa.string()),
                        "label": labels[places],
                        "source": pa.repeat(source, len(places)),
                    }
                )
            )


def _places(starts: Integers, lengths: Integers) -> Integers:
    """The places start, start + 1, … of several stretches, one after the other."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


def _array(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, copied only if it is not so already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _flat(lists: pa.ChunkedArray) -> pa.Array:
    """All entries of a column of lists, one after the other."""
    return pc.list_flatten(_array(lists))


def _lengths(lists: pa.ChunkedArray) -> Integers:
    """The length of each list of a column; 0 for a missing one."""
    return _numpy(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)


def _numpy(array: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return (_array(array) if isinstance(array, pa.ChunkedArray) else array).to_numpy(zero_copy_only=False)
