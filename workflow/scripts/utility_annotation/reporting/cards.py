"""Questions of a pool with every judgement of their passages, collected from the files of humans and annotators.

A pool can hold half a million questions of 31 passages. So the ids, outcomes and selections of all questions are read
first, one shard after the other. Everything else is read of the chosen questions only.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..annotation.names import READABLE
from ..common.errors import InputError
from ..common.hashing import random_place
from ..io.label_values import is_positive
from ..io.schemas import ANNOTATION, LABELS, ORIGINS
from ..labels.shards import ANNOTATE_AGAIN, read_candidates
from ..pools.shards import shard_names
from .judges import Judge, best, facts, listed
from .settings import CardSettings

_PASSAGE_CHARACTERS, _REPLY_CHARACTERS = 6_000, 20_000
_BESIDES = ("named", "whole_pool", "attempts", "cut_words", "prompt_tokens", "completion_tokens", "finish_reason")

Row = Mapping[str, Any]
"""A question's row of the annotation; a label set of others has the same ``outcome``, ``docids`` and ``scores``."""


def collect(
    settings: CardSettings, results: Path, shards: int, truth: Path | None = None, origins: Path | None = None
) -> dict[str, Any]:
    """The cards of a pool, ready for JSON.

    ``questions`` is the number of the pool's, ``judges`` names who judged, each with the ``counts`` of all questions by
    what :func:`~.judges.facts` says of them, and of those that were ``compared`` with humans. A card holds the
    question, its passages in the pool's order, ground-truth answers (null where there are none), and for each judge
    what :func:`judgement` says; null where a label set lacks the question.

    Args:
        settings: the pool, its judges, and how many questions are shown.
        results: the folder with the pool's files, its annotation and the label sets.
        shards: number of the pool's shards.
        truth: ground-truth answers, if there are any.
        origins: where in documents the passages are from, if they are from some.

    Raises:
        InputError: a file is missing, or does not belong to the pool.
    """
    judges = settings.judges
    pools, annotation = results / "pools" / settings.pool, results / "annotation" / settings.pool
    others = {judge: _rows_of_labels(results / f"labels/{judge.labels}.parquet") for judge in judges if judge.labels}
    groups: dict[tuple[int, tuple[str, ...]], list[str]] = defaultdict(list)
    shard_of: dict[str, str] = {}
    for shard in shard_names(shards):
        pool = read_candidates(pools / f"{shard}.parquet")
        query_ids, candidates = pool["query_id"].to_pylist(), pool["candidates"].to_pylist()
        human = [_human(of_query) for of_query in candidates]
        shard_of |= dict.fromkeys(query_ids, shard)
        for place, judge in enumerate(judges):
            if judge.labels:
                rows: Iterable[Row | None] = map(others[judge].get, query_ids)
            else:
                rows = _rows_of_shard(annotation / judge.folder / f"{shard}.parquet", query_ids)
            for query_id, row, marked in zip(query_ids, rows, human, strict=True):
                if row is not None:
                    groups[place, facts(row["outcome"], judge.compared(row, marked), marked)].append(query_id)
    counts: list[Counter[str]] = [Counter() for _ in judges]
    for (place, found), members in groups.items():
        counts[place].update(dict.fromkeys([*found, *["compared"] * (len(found) > 1)], len(members)))
    chosen = choose(groups, settings.questions, settings.seed)
    cards: dict[str, dict[str, Any]] = {}
    for shard in dict.fromkeys(shard_of[query_id] for query_id in chosen):
        of_judges = [
            others[judge] if judge.labels else _rows(annotation / judge.folder / f"{shard}.parquet", chosen)
            for judge in judges
        ]
        for query_id, row in _rows(pools / f"{shard}.parquet", chosen).items():
            cards[query_id] = _card(row, judges, [rows.get(query_id) for rows in of_judges])
    answers = _rows(truth, chosen) if truth else {}
    if origins:
        _tell_origins([passage for card in cards.values() for passage in card["passages"]], origins)
    return {
        "pool": settings.pool,
        "questions": len(shard_of),
        "judges": [
            judge.model_dump()
            | {"name": judge.name, "soft": judge.soft, "ranked": judge.ranked, "counts": counts[place]}
            | {"marks": judge.labels is not None or judge.rule is not None}
            for place, judge in enumerate(judges)
        ],
        "cards": [cards[query_id] | {"truth": answers.get(query_id, {}).get("answers")} for query_id in chosen],
    }


def choose(groups: Mapping[Any, Sequence[str]], size: int, seed: int) -> list[str]:
    """Questions in which rare things are well represented: as many as asked for, or all that there are.

    They are taken in turn from one group after the other, the rarest group first, so that each has its share. The
    choice depends on the seed, the ids and their groups only, not on the order of the questions.
    """
    queues = [
        heapq.nsmallest(size, groups[group], key=lambda query_id: (random_place(query_id, seed), query_id))
        for group in sorted(groups, key=lambda group: (len(groups[group]), str(group)))
    ]
    in_turn = (query_id for turn in zip_longest(*queues) for query_id in turn if query_id is not None)
    return list(dict.fromkeys(in_turn))[:size]


def _rows_of_shard(path: Path, query_ids: Sequence[str]) -> list[Row]:
    """Outcome and result of every query of a shard, in the pool's order."""
    rows = ANNOTATION.read(path, ["query_id", "outcome", "docids", "named", "scores"]).to_pylist()
    if [row["query_id"] for row in rows] != query_ids:
        raise InputError("these are not the queries of the pool's shard, in its order.", hint=ANNOTATE_AGAIN, path=path)
    return rows


def _rows_of_labels(path: Path) -> dict[str, Row]:
    """A label set as an annotation, by query id: its positives are listed."""
    positives: dict[str, list[str]] = defaultdict(list)
    for batch in LABELS.batches(path, rows=1 << 16):
        query_ids, docids = (batch[name].to_pylist() for name in ("query_id", "docid"))
        for query_id, docid, marked in zip(query_ids, docids, is_positive(batch["label"].to_numpy()), strict=True):
            positives[query_id] += [docid] if marked else []
    return {
        query_id: {"outcome": "ok" if docids else "empty", "docids": docids, "scores": None}
        for query_id, docids in positives.items()
    }


def _rows(path: Path, query_ids: Sequence[str]) -> dict[str, Row]:
    """The rows of those of these queries that a file has, by query id."""
    wanted = pc.field("query_id").isin(pa.array(query_ids, pa.string()))
    return {row["query_id"]: row for row in pq.read_table(path, filters=wanted).to_pylist()}


def _card(row: Row, judges: Sequence[Judge], said: Sequence[Row | None]) -> dict[str, Any]:
    by_stage: dict[tuple[str | None, str | None], Row | None] = {
        (judge.annotator, judge.stage): found for judge, found in zip(judges, said, strict=True) if judge.stage
    }
    narrowing = [by_stage.get((judge.annotator, judge.narrowed_by)) or {} for judge in judges]
    doubted = [judge.doubts(by_stage.get((judge.annotator, judge.ignore))) for judge in judges]
    return {
        "query_id": row["query_id"],
        "query": row["query"],
        "passages": [
            {"docid": entry["docid"], "title": entry["title"], "human": entry["human"]}
            | cut(entry["text"], _PASSAGE_CHARACTERS)
            for entry in row["candidates"]
        ],
        "judgements": [
            None if found is None else judgement(judge, found, row["candidates"], before.get("docids"), doubts)
            for judge, found, before, doubts in zip(judges, said, narrowing, doubted, strict=True)
        ],
    }


def _tell_origins(passages: Sequence[dict[str, Any]], origins: Path) -> None:
    """Add to each passage the file that it is from, and its page."""
    wanted = pc.field("docid").isin(pa.array([passage["docid"] for passage in passages], pa.string()))
    rows = {row["docid"]: row for row in pq.read_table(origins, filters=wanted).cast(ORIGINS.schema).to_pylist()}
    for passage in passages:
        if row := rows.get(passage["docid"]):
            document = ":".join(filter(None, (row["file"], row["name"])))
            passage["origin"] = f"{document}, page {row['page']}" if row["page"] else document


def judgement(
    judge: Judge,
    row: Row,
    candidates: Sequence[Row],
    kept: Sequence[str] | None,
    doubted: Collection[str] = (),
) -> dict[str, Any]:
    """The judgement of one judge on one question.

    It has the ``facts``, the ``answer``, ``replies`` and other columns of the row, ``events`` and, for each passage,
    one of ``marks``. Events are ``again`` (a request was repeated), ``cut`` (passages were cut to fit), ``whole``
    (the whole pool was shown, because the relevance selection left nothing) and ``completed`` (a ranking names only
    some of the passages). A mark is null where the judge was not shown the passage. Otherwise it has ``positive``, the
    ``rank`` in a ranking, the ``score`` and the ``place`` in the list that was shown, both from 1. Shown is what an
    earlier relevance selection ``kept``, or else all candidates. Where a label set ignores what another stage selected,
    which are the ``doubted`` passages, a mark says whether the passage is ``ignored``.
    """
    docids = [candidate["docid"] for candidate in candidates]
    human = _human(candidates)
    scores = {entry["docid"]: entry["score"] for entry in row["scores"] or ()}
    order = best(row["scores"], len(docids)) if judge.soft else listed(row) if judge.ranked else None
    ranks = {docid: rank for rank, docid in enumerate(order or (), 1)}
    selected = set(judge.positives(row) or ())
    shown = [docid for docid in docids if docid in set(kept)] if kept else docids
    places = {docid: place for place, docid in enumerate(shown, 1)}
    unsure = {docid for docid, score in scores.items() if score is None}
    ignored = (set(doubted) | unsure) - selected if row["outcome"] in READABLE else set()
    marks = [
        {"positive": docid in selected, "rank": ranks.get(docid), "score": scores.get(docid), "place": places[docid]}
        | ({"ignored": docid in ignored} if judge.ignore or judge.graded else {})
        if docid in places
        else None
        for docid in docids
    ]
    replies = row.get("replies") or ()
    again, cut_to_fit = bool(replies) and row["attempts"] > len(replies), row.get("cut_words") is not None
    events = {"again": again, "cut": cut_to_fit, "whole": row.get("whole_pool")}
    events["completed"] = len(listed(row) or ()) < len(row["docids"] or ())
    return {
        "facts": facts(row["outcome"], judge.compared(row, human), human),
        "events": [name for name, holds in events.items() if holds],
        "marks": marks,
        "answer": None if row.get("answer") is None else cut(row["answer"], _REPLY_CHARACTERS),
        "replies": [cut(reply, _REPLY_CHARACTERS) for reply in replies],
        **{name: row.get(name) for name in _BESIDES},
    }


def _human(candidates: Sequence[Row]) -> set[str]:
    """The passages that humans marked."""
    return {candidate["docid"] for candidate in candidates if candidate["human"]}


def cut(text: str, characters: int) -> dict[str, Any]:
    """A text of at most so many characters, and how many more it has."""
    return {"text": text[:characters], "left_out": max(0, len(text) - characters)}
