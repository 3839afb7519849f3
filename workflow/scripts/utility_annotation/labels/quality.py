"""How a label set compares with the human positives of its pool, and the outcomes of its annotation.

Precision and recall are counted over all queries together (micro), as in the paper's table 1. With one human positive
per query, its precision equals recall divided by the mean number of positives (Qwen, relsel: 92.8 / 6.2 = 15.0). A mean
of the queries' own precisions would be larger. Agreement (:mod:`.agreement`)
is counted over the same candidates; position bias (:mod:`.positions`) over those that the last stage was shown.
What the labels ignore is compared with nothing: of precision, recall and agreement it is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.progress import counted
from ..io.label_values import is_ignored, is_positive
from ..io.schemas import ANNOTATION, OUTCOMES
from .agreement import Confusion
from .merge import pair_shards
from .positions import ShownLists
from .rows import LabelRows
from .settings import QualitySettings
from .shards import ANNOTATE_AGAIN, flat, lengths_of, read_candidates, to_numpy
from .sources import SOURCES, is_narrowed, is_soft


@dataclass(frozen=True)
class Judged:
    """Every candidate of a label set's queries, one query after the other and each in its pool's order.

    Attributes:
        query: number of the query, rising from 0.
        label: the label set's label.
        human: whether it is a human positive.
        shown: whether the last stage of the annotation was shown it.
    """

    query: np.ndarray
    label: np.ndarray
    human: np.ndarray
    shown: np.ndarray

    @property
    def queries(self) -> int:
        """Number of queries."""
        return int(self.query[-1]) + 1 if len(self.query) else 0

    @property
    def positive(self) -> np.ndarray:
        """Whether the label set calls it positive."""
        return is_positive(self.label)

    def without(self, ignored: np.ndarray) -> Judged:
        """The same without some candidates; the others keep the numbers of their queries."""
        return Judged(*(column[~ignored] for column in (self.query, self.label, self.human, self.shown)))


def label_quality(
    settings: QualitySettings,
    labels: Path | str,
    pools: Sequence[Path | str],
    annotations: Sequence[Path | str],
    relevance: Sequence[Path | str] = (),
) -> dict[str, Any]:
    """The figures of one label set, ready for JSON; shares are in percent.

    ``selection`` (all sources but replug) holds precision and recall of the human positives among the label set's
    positives, the mean number of positives per query and its distribution (queries with 0, 1, 2, … positives).
    If the pool has no human positive, there is nothing to compare with: precision, recall and ``agreement`` are null.
    ``ignored`` is the number of candidates that the labels ignore, and ``human_ignored`` that of the human positives
    among them: precision, recall and ``agreement`` are of the other candidates. Both are 0 for replug.
    ``agreement`` (all sources but human and replug) holds the 2 × 2 counts and Cohen's kappa, see
    :class:`~.agreement.Confusion`; a union of which human labels are a member agrees with them by construction.
    ``positions`` (selections of one LLM; the lists behind a union or a file are not known) says where in the lists
    shown to the model the selected passages and the human positives are, see :class:`~.positions.ShownLists`;
    ``human_in_pool``, the places of human positives in the whole pools, checks the shuffle. ``ranking`` (replug) says
    where the human positives rank when a query's candidates are sorted by likelihood. ``annotation`` counts the
    outcomes and tokens of the last stage, and as ``completed`` the rankings whose replies name only some of the
    passages (null if no reply is a ranking); it is null for labels of source human, union and file.

    Args:
        settings: the label set.
        labels: its file.
        pools: the shards of its pool.
        annotations: the shards of its annotation's last stage; none for labels of source human, union and
            file.
        relevance: the shards of the relevance selection that narrowed what that stage was shown (utilsel, utilrank);
            none for other sources.

    Raises:
        InputError: the files do not belong together, or some are missing.
    """
    narrowed = is_narrowed(settings.source)
    if narrowed != bool(relevance):
        raise InputError(
            f"labels of source {settings.source} {'need a' if narrowed else 'rest on no'} relevance selection.",
            hint=f"{'give' if narrowed else 'leave out'} the shards of the stage relsel (--relevance).",
            path=labels,
        )
    judged = _read_judged(labels, pools, relevance)
    rankings = is_soft(settings.source)
    ignored = np.zeros(len(judged.label), bool) if rankings else is_ignored(judged.label)
    certain = judged.without(ignored)
    chosen = settings.source != "human" and not rankings
    compared = chosen and bool(certain.human.any())
    listed = chosen and settings.source not in SOURCES
    return {
        **settings.model_dump(),
        "queries": judged.queries,
        "candidates": len(judged.label),
        "human_positives": int(np.count_nonzero(judged.human)),
        "ignored": int(np.count_nonzero(ignored)),
        "human_ignored": int(np.count_nonzero(ignored & judged.human)),
        "selection": None if rankings else _selection(certain, judged.queries),
        "agreement": Confusion.count(certain.positive, certain.human).figures() if compared else None,
        "positions": _positions(judged) if listed else None,
        "ranking": _ranking(judged) if rankings else None,
        "annotation": _annotation(annotations) if annotations else None,
    }


def _read_judged(labels: Path | str, pools: Sequence[Path | str], relevance: Sequence[Path | str]) -> Judged:
    """Join the files by their order; refuse files that do not agree."""
    file = LabelRows(labels)
    parts: list[tuple[np.ndarray, ...]] = []
    queries = 0
    for pool_path, relevance_path in counted(pair_shards(pools, relevance or None), "comparing", "shards"):
        pool = read_candidates(pool_path)
        labelled, label, _ = file.of_shard(pool, pool_path)
        pool = pool.filter(pa.array(labelled)).combine_chunks()
        candidates = flat(pool["candidates"])
        lengths = lengths_of(pool["candidates"])
        query = np.repeat(np.arange(len(lengths)), lengths)
        shown = np.ones(len(query), bool)
        if relevance_path is not None:
            docids = pc.struct_field(candidates, "docid")
            shown = _kept(pool["query_id"], query, docids, relevance_path)
            _check_shown(is_positive(label), shown, docids, relevance_path)
        parts.append((queries + query, label, to_numpy(pc.struct_field(candidates, "human")), shown))
        queries += len(lengths)
    file.check_all_found()
    return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _kept(query_ids: pa.ChunkedArray, query: np.ndarray, docids: pa.Array, path: Path) -> np.ndarray:
    """Mask of the candidates that a relevance selection passed on: all of a query's candidates if it kept none.

    Args:
        query_ids: the queries of a pool shard.
        query: for each of their candidates, the number of its query.
        docids: for each of their candidates, its docid.
        path: the relevance selection's shard.
    """
    relevance = ANNOTATION.read(path, ["query_id", "docids"])
    place = pc.index_in(query_ids, value_set=relevance["query_id"])
    if place.null_count:
        missing = query_ids.filter(pc.is_null(place))[0]
        raise InputError(f"query {missing} of the pool is not annotated here.", hint=ANNOTATE_AGAIN, path=path)
    listed = relevance["docids"].take(place).combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(listed), 0).to_numpy()
    codes = docids.dictionary_encode()
    wanted = pc.fill_null(pc.index_in(pc.list_flatten(listed), value_set=codes.dictionary), -1).to_numpy()
    known = len(codes.dictionary)
    keys = query * known + codes.indices.to_numpy()
    selected = (np.repeat(np.arange(len(lengths)), lengths) * known + wanted)[wanted >= 0]
    kept = pc.is_in(pa.array(keys), value_set=pa.array(selected)).to_numpy(zero_copy_only=False)
    if np.count_nonzero(kept) != lengths.sum():
        raise InputError("it selects passages that are not in the pool.", hint=ANNOTATE_AGAIN, path=path)
    return kept | (lengths == 0)[query]


def _check_shown(positive: np.ndarray, shown: np.ndarray, docids: pa.Array, path: Path) -> None:
    strange = np.flatnonzero(positive & ~shown)
    if len(strange):
        raise InputError(
            f"passage {docids[strange[0]]} is labelled positive for a query for which it was not selected here.",
            hint="run the label set's target again, so that each of its stages is made from the one before.",
            path=path,
        )


def _selection(judged: Judged, queries: int) -> dict[str, Any]:
    counts = np.bincount(judged.query[judged.positive], minlength=queries)
    hits = int(np.count_nonzero(judged.positive & judged.human))
    human = int(np.count_nonzero(judged.human))
    return {
        "precision": _percent(hits, int(counts.sum())) if human else None,
        "recall": _percent(hits, human),
        "positives_per_query": float(counts.mean()),
        "distribution": np.bincount(counts).tolist(),
    }


def _positions(judged: Judged) -> dict[str, Any]:
    lists = ShownLists(np.bincount(judged.query[judged.shown], minlength=judged.queries))
    pools = ShownLists(np.bincount(judged.query, minlength=judged.queries))
    marked = {"selected": judged.positive[judged.shown], "human": judged.human[judged.shown]}
    return {
        "by_position": {
            "shown": lists.shown_by_position(),
            **{name: lists.by_position(mask) for name, mask in marked.items()},
        },
        "relative": {
            "shown": lists.relative(np.ones_like(lists.list_of, bool)),
            **{name: lists.relative(mask) for name, mask in marked.items()},
            "human_in_pool": pools.relative(judged.human),
        },
    }


def _ranking(judged: Judged) -> dict[str, Any]:
    """Ranks of each query's best human positive; a candidate of equal likelihood counts as ranked before it."""
    best = np.full(judged.queries, -np.inf, np.float32)
    np.maximum.at(best, judged.query[judged.human], judged.label[judged.human])
    ahead = judged.label >= best[judged.query]
    ranks = np.bincount(judged.query[ahead], minlength=judged.queries)[np.isfinite(best)]
    return {
        "human_first": _percent(int(np.count_nonzero(ranks == 1)), len(ranks)),
        "human_mean_reciprocal_rank": _percent((1 / ranks).sum(), len(ranks)),
        "human_mean_rank": float(ranks.mean()) if len(ranks) else None,
    }


def _annotation(annotations: Sequence[Path | str]) -> dict[str, Any]:
    columns = ["outcome", "docids", "named", "whole_pool", "prompt_tokens", "completion_tokens"]
    rows = pa.concat_tables([ANNOTATION.read(path, columns) for path in annotations])
    counts = {count["values"]: count["counts"] for count in pc.value_counts(rows["outcome"]).to_pylist()}
    return {
        "queries": rows.num_rows,
        "outcomes": {outcome: counts.get(outcome, 0) for outcome in OUTCOMES},
        "completed": pc.sum(pc.less(rows["named"], pc.list_value_length(rows["docids"]))).as_py(),
        "whole_pool": pc.sum(rows["whole_pool"].cast(pa.int64())).as_py() or 0,
        "prompt_tokens": pc.sum(rows["prompt_tokens"]).as_py() or 0,
        "completion_tokens": pc.sum(rows["completion_tokens"]).as_py() or 0,
    }


def _percent(part: float, whole: float) -> float | None:
    return float(100 * part / whole) if whole else None
