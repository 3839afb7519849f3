"""Labels from an annotation or from humans: one row per candidate of the pool.

A query's row in an annotation shard becomes one label per candidate: positive, or negative for the rest of the pool.
What another stage of the same annotator selected (``ignore``) and the first one did not is doubtful, and so is ignored.
For replug, the label is the log-likelihood of the ground-truth answer given the candidate. For answers with and without
a candidate, a metric decides (:mod:`.gains`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..annotation.label_rules import LabelRule, Listed
from ..annotation.names import READABLE
from ..annotation.stages import STAGES
from ..common.errors import InputError
from ..common.progress import counted
from ..io.label_values import ignoring, is_positive
from ..io.schemas import ANNOTATION, OUTCOMES
from ..settings import Labels
from .gains import GroundTruth, with_gains
from .shards import (
    ANNOTATE_AGAIN,
    BLOCK_QUERIES,
    Integers,
    LabelledShard,
    Merged,
    chosen_queries,
    find_candidates,
    flat,
    lengths_of,
    read_candidates,
    to_numpy,
    write_labels,
)

logger = logging.getLogger(__name__)

_OTHER_ANNOTATOR = "look at the replies in the annotation files; you may need another annotator or protocol."


def merge_labels(
    settings: Labels,
    rule: LabelRule | None,
    pools: Sequence[Path | str],
    annotations: Sequence[Path | str],
    doubts: Sequence[Path | str],
    output: Path | str,
    *,
    truth: GroundTruth | None = None,
) -> Merged:
    """Merge the shards of a pool and of one annotation stage into one file, see :func:`~.labels.shards.write_labels`.

    If a query's outcome is ``empty``, all its candidates are negative; an empty replug row has no scores and is left
    out. Queries with an outcome other than ``ok`` and ``empty`` are left out and counted. A passage that was added to
    complete a ranking is on no list: it is negative and has no rank, and the threshold does not count it. Where the
    doubts of a query have no readable reply, none of its candidates is ignored; the log counts such queries.

    Args:
        settings: threshold, what is ignored, and subset of queries.
        rule: how the stage's result becomes labels; None for human labels.
        pools: the pool's shards.
        annotations: the annotation's shards, named as the pool's; none for human labels.
        doubts: the shards of the stage ``settings.ignore``, named as the pool's; none where nothing is ignored.
        output: the file to write.
        truth: what answers are compared with, for a rule whose scores a metric gives.

    Raises:
        InputError: the shards do not belong together, only one of them has some query or docid, or no query is left.
    """
    annotated, doubted = (
        [partner for _, partner in pair_shards(pools, shards)]
        for shards in (annotations if rule else None, doubts if settings.ignore else None)
    )
    chosen = chosen_queries(pools, settings.queries)
    with ThreadPoolExecutor(pa.cpu_count()) as threads:
        label_shard = partial(_label_shard, settings, rule, truth)
        labelled = threads.map(label_shard, map(Path, pools), annotated, doubted, chosen)
        shards = list(counted(labelled, "labelling", "shards", len(pools)))
    if without := sum(shard.without_doubts for shard in shards):
        logger.warning(
            "%d labelled queries have no readable reply of stage %s, so none of their candidates is ignored",
            without,
            settings.ignore,
        )
    return write_labels(shards, settings.source, output, _OTHER_ANNOTATOR)


def pair_shards(
    pools: Sequence[Path | str], annotations: Sequence[Path | str] | None
) -> list[tuple[Path, Path | None]]:
    """Each pool shard with the annotation shard of the same file name; with None if there are no annotations.

    Raises:
        InputError: a shard of one kind has no partner of the other.
    """
    if annotations is None:
        return [(Path(pool), None) for pool in pools]
    by_name = {Path(annotation).name: Path(annotation) for annotation in annotations}
    pairs: list[tuple[Path, Path | None]] = []
    for pool in map(Path, pools):
        if pool.name not in by_name:
            raise InputError("this pool shard has no annotation shard.", hint="annotate it first.", path=pool)
        pairs.append((pool, by_name.pop(pool.name)))
    for orphan in by_name.values():
        raise InputError(
            "this annotation shard has no pool shard of the same name.",
            hint="give the shards of the pool that it was made from, and no others.",
            path=orphan,
        )
    return pairs


def _label_shard(
    settings: Labels,
    rule: LabelRule | None,
    truth: GroundTruth | None,
    pool_path: Path,
    annotation_path: Path | None,
    doubts_path: Path | None,
    chosen: np.ndarray,
) -> LabelledShard:
    """The labels of a pool's shard and its annotation, if any; reading and labelling release Python's lock."""
    pool = read_candidates(pool_path)
    left_out: Counter[str] = Counter()
    if annotation_path is None or rule is None:
        keep = chosen
        candidates = flat(pool["candidates"])
        labels = to_numpy(pc.struct_field(candidates, "human")).astype(np.float32)
        ranks = np.where(is_positive(labels), to_numpy(pc.struct_field(candidates, "rank")), 0)
    else:
        annotation = _read_annotation(settings.source, rule, annotation_path, pool)
        if rule.measured:
            assert truth is not None, "the configuration requires a metric"
            annotation = with_gains(annotation, pool, truth, annotation_path)
        outcomes = pa.array(READABLE if rule.column == "docids" else ["ok"])
        usable = to_numpy(pc.is_in(annotation["outcome"], outcomes))
        keep = chosen & usable
        unusable = annotation["outcome"].filter(pa.array(chosen & ~usable))
        left_out.update({count["values"]: count["counts"] for count in pc.value_counts(unusable).to_pylist()})
        labels, ranks = _llm_labels(settings, rule, annotation, annotation_path, pool)
    if settings.ignore is None or doubts_path is None:
        return LabelledShard.of_pool(pool, keep, labels, ranks, left_out)
    doubtful, readable = _doubtful(settings, settings.ignore, doubts_path, pool)
    shard = LabelledShard.of_pool(pool, keep, ignoring(labels, doubtful), ranks, left_out)
    return replace(shard, without_doubts=int(np.count_nonzero(keep & ~readable)))


def _doubtful(settings: Labels, stage: str, path: Path, pool: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Which candidates of a pool's shard a stage selected, and for which of its queries the reply could be read."""
    rule = STAGES[stage].labels
    assert rule is not None, "the configuration requires a stage that selects"
    annotation = _read_annotation(stage, rule, path, pool)
    selected, _ = _llm_labels(settings, rule, annotation, path, pool)
    return is_positive(selected), to_numpy(pc.is_in(annotation["outcome"], pa.array(READABLE)))


def _read_annotation(source: str, rule: LabelRule, path: Path, pool: pa.Table) -> pa.Table:
    """The shard's rows in the pool's order: query_id, outcome, named and the column of the rule."""
    column = rule.column
    columns = dict.fromkeys(["query_id", "outcome", "named", column, *(["docids"] if rule.measured else [])])
    annotation = ANNOTATION.read(path, list(columns)).combine_chunks()
    place = pc.index_in(pool["query_id"], value_set=annotation["query_id"])
    missing = pc.filter(pool["query_id"], pc.is_null(place))
    if len(missing):
        raise InputError(f"query {missing[0]} of the pool is not annotated here.", hint=ANNOTATE_AGAIN, path=path)
    if annotation.num_rows != pool.num_rows:
        strangers = pc.filter(
            annotation["query_id"], pc.invert(pc.is_in(annotation["query_id"], value_set=pool["query_id"]))
        )
        found = f"query {strangers[0]} is not in the pool's shard" if len(strangers) else "a query comes twice here"
        raise InputError(f"{found}.", hint=ANNOTATE_AGAIN, path=path)
    annotation = annotation.take(place).combine_chunks()
    unknown = pc.filter(annotation["outcome"], pc.invert(pc.is_in(annotation["outcome"], pa.array(OUTCOMES))))
    if len(unknown):
        raise InputError(f"{unknown[0].as_py()!r} is no outcome of an annotation.", hint=ANNOTATE_AGAIN, path=path)
    bare = pc.filter(
        annotation["query_id"], pc.and_(pc.equal(annotation["outcome"], "ok"), pc.is_null(annotation[column]))
    )
    if len(bare):
        raise InputError(
            f"query {bare[0]} has the outcome ok but no {column}, which {source} labels are made of.",
            hint=f"give the annotation of the stage {source}.",
            path=path,
        )
    return annotation


def _llm_labels(
    settings: Labels, rule: LabelRule, annotation: pa.Table, path: Path, pool: pa.Table
) -> tuple[np.ndarray, np.ndarray]:
    """One label and one rank per candidate of the shard, in the pool's order; 0 if the outcome is not ok.

    The work is done in blocks, so that the look-up of passages stays within the processor's cache.
    """
    blocks = [
        _block_labels(
            settings,
            rule,
            annotation.slice(start, BLOCK_QUERIES).combine_chunks(),
            path,
            pool.slice(start, BLOCK_QUERIES).combine_chunks(),
        )
        for start in range(0, pool.num_rows, BLOCK_QUERIES)
    ]
    labels = np.concatenate([np.empty(0, np.float32), *(labels for labels, _ in blocks)])
    return labels, np.concatenate([np.empty(0, np.int32), *(ranks for _, ranks in blocks)])


def _block_labels(
    settings: Labels, rule: LabelRule, annotation: pa.Table, path: Path, pool: pa.Table
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.flatnonzero(to_numpy(pc.equal(annotation["outcome"], "ok")))
    scored = rule.column != "docids"
    listed = annotation["scores" if scored else "docids"].take(pa.array(rows))
    lengths = lengths_of(listed)
    entries = flat(listed)
    places = _find(np.repeat(rows, lengths), pc.struct_field(entries, "docid") if scored else entries, pool, path)
    labels = np.zeros(int(lengths_of(pool["candidates"]).sum()), np.float32)
    ranks = np.zeros(len(labels), np.int32)
    place_in_list = np.arange(len(places)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    length = np.repeat(to_numpy(pc.coalesce(annotation["named"].take(pa.array(rows)), pa.array(lengths))), lengths)
    named = place_in_list < length
    places, place_in_list, length = places[named], place_in_list[named], length[named]
    if not scored:
        ranks[places] = 1 + place_in_list
    labels[places] = rule.label(
        Listed(
            place=place_in_list,
            length=length,
            score=_scores(rule, annotation, lengths, pool, entries, path)
            if scored
            else np.full(len(places), np.nan, np.float32),
            top_percent=settings.top_percent,
            relevance_level=settings.relevance_level,
            margin=settings.margin,
        )
    )
    return labels, ranks


def _find(rows: Integers, docids: pa.Array, pool: pa.Table, path: Path) -> Integers:
    """The places among the shard's candidates of the passages ``docids`` of the queries at ``rows``, each once."""
    found = find_candidates(rows, docids, pool)
    if found.null_count:
        strange = int(np.flatnonzero(to_numpy(found.is_null()))[0])
        raise InputError(
            f"passage {docids[strange]} is not among the candidates of query {pool['query_id'][rows[strange]]}.",
            hint=ANNOTATE_AGAIN,
            path=path,
        )
    places = to_numpy(found)
    repeated = np.flatnonzero(np.bincount(places, minlength=1) > 1)
    if len(repeated):
        entry = np.flatnonzero(places == repeated[0])[0]
        raise InputError(
            f"passage {docids[entry]} is listed twice for query {pool['query_id'][rows[entry]]}.",
            hint=ANNOTATE_AGAIN,
            path=path,
        )
    return places


def _scores(
    rule: LabelRule, annotation: pa.Table, lengths: Integers, pool: pa.Table, entries: pa.Array, path: Path
) -> np.ndarray:
    """The scores of ``entries``, and NaN for a grade that is null.

    So is a gain of an answer that could not be read. Refuses a grade that is not on the scale; of likelihoods, a query
    that lacks one, and one that is no number.
    """
    if rule.measured:
        return to_numpy(pc.fill_null(pc.struct_field(entries, "score"), np.nan))
    if rule.graded:
        return _grades(rule, entries, path)
    ok = to_numpy(pc.equal(annotation["outcome"], "ok"))
    short = np.flatnonzero(lengths != lengths_of(pool["candidates"])[ok])
    if len(short):
        query_id = pool["query_id"].filter(pa.array(ok))[short[0]]
        raise InputError(f"query {query_id} has no score for some of its candidates.", hint=ANNOTATE_AGAIN, path=path)
    scores = to_numpy(pc.fill_null(pc.struct_field(entries, "score"), np.nan))
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise InputError(
            f"the score of passage {entries[broken[0]]['docid']} is not a finite number.",
            hint="run its annotation in a wider number format (`precision`).",
            path=path,
        )
    return scores


def _grades(rule: LabelRule, entries: pa.Array, path: Path) -> np.ndarray:
    grades = to_numpy(pc.fill_null(pc.struct_field(entries, "score"), np.nan))
    wrong = np.flatnonzero(~np.isnan(grades) & ~np.isin(grades, np.arange(rule.highest + 1)))
    if len(wrong):
        raise InputError(
            f"the grade {grades[wrong[0]]:g} of passage {entries[wrong[0]]['docid']} is not on the scale from 0 to "
            f"{rule.highest}.",
            hint=ANNOTATE_AGAIN,
            path=path,
        )
    return grades
