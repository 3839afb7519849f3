"""Questions of a pool with all that was said of their passages, collected from the files of humans and annotators.

A pool may hold half a million questions of 31 passages, so two things are read: of every question its ids, outcomes and
selections, one shard after the other, to choose by; and of the chosen ones everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.schemas import ANNOTATION, ANSWERS, LABELS, POOL, Schema
from ..labels.shards import flat, lengths_of, read_candidates, to_numpy
from ..pools.shards import shard_names
from .choice import Choice
from .judges import CardSettings, Judge, facts
from .marks import cut, judgement, labelled

_PASSAGE_CHARACTERS = 6_000
_BATCH_QUESTIONS = 256
_ANNOTATE_AGAIN = "remove the annotation file and run the target again, so that it is made from this pool."


@dataclass(frozen=True)
class CardFiles:
    """Where the files lie.

    Attributes:
        pool: folder of the pool's shards.
        annotation: folder of the pool's annotation, with a folder an annotator and in it one a stage.
        labels: folder of the label sets.
        shards: number of the pool's shards.
        truth: ground-truth answers, if there are any.
    """

    pool: Path
    annotation: Path
    labels: Path
    shards: int
    truth: Path | None = None

    def of_judge(self, judge: Judge, shard: str) -> Path:
        """A shard of a stage."""
        return self.annotation / str(judge.annotator) / str(judge.stage) / f"{shard}.parquet"


def collect(settings: CardSettings, files: CardFiles) -> dict[str, Any]:
    """The cards of a pool, ready for JSON.

    ``questions`` is the number of the pool's, ``judges`` names who judged, each with the ``counts`` of all questions by
    what :func:`~.judges.facts` says of them, joined by spaces. A card holds the question, its passages in the pool's
    order, ground-truth answers (null where there are none), and for each judge a judgement: the ``facts``, for each
    passage a mark, and what the annotation's row says besides, see :mod:`.marks`; null where a label set lacks the
    question.

    Raises:
        InputError: a file is lacking, or does not belong to the pool.
    """
    label_sets = {
        judge: _positives(files.labels / f"{judge.labels}.parquet") for judge in settings.judges if judge.labels
    }
    choice = Choice(settings.questions, settings.seed)
    counts: dict[Judge, Counter[str]] = {judge: Counter() for judge in settings.judges}
    shard_of: dict[str, str] = {}
    questions = 0
    for shard in shard_names(files.shards):
        query_ids, found = _facts_of_shard(settings.judges, files, shard, label_sets)
        questions += len(query_ids)
        for judge, of_judge in found.items():
            counts[judge].update(text for text in of_judge if text is not None)
        for query_id, *texts in zip(query_ids, *found.values(), strict=True):
            choice.offer(query_id, {f"{place} {text}" for place, text in enumerate(texts) if text is not None})
            shard_of[query_id] = shard
    chosen = choice.chosen()
    cards: dict[str, dict[str, Any]] = {}
    for shard in dict.fromkeys(shard_of[query_id] for query_id in chosen):
        wanted = [query_id for query_id in chosen if shard_of[query_id] == shard]
        cards |= _cards_of_shard(settings.judges, files, shard, label_sets, wanted)
    truth = _rows(ANSWERS, files.truth, chosen) if files.truth else {}
    return {
        "pool": settings.pool,
        "questions": questions,
        "judges": [judge.model_dump() | {"name": judge.name, "counts": counts[judge]} for judge in settings.judges],
        "cards": [cards[query_id] | {"truth": truth.get(query_id, {}).get("answers")} for query_id in chosen],
    }


def _facts_of_shard(
    judges: Sequence[Judge], files: CardFiles, shard: str, label_sets: Mapping[Judge, Mapping[str, list[str]]]
) -> tuple[list[str], dict[Judge, list[str | None]]]:
    """The shard's query ids, and for each judge the facts of each query, joined; None where a label set lacks it."""
    path = files.pool / f"{shard}.parquet"
    pool = read_candidates(path)
    query_ids = pool["query_id"].to_pylist()
    human = _human(pool)
    found: dict[Judge, list[str | None]] = {}
    for judge in judges:
        if judge.labels:
            said: Iterator[Any] = (
                (None if positives is None else "ok" if positives else "empty", positives)
                for positives in map(label_sets[judge].get, query_ids)
            )
        else:
            said = _said(judge, files.of_judge(judge, shard), pool, human)
        found[judge] = [
            None if outcome is None else " ".join(facts(outcome, positives, marked))
            for (outcome, positives), marked in zip(said, human, strict=True)
        ]
    return query_ids, found


def _human(pool: pa.Table) -> list[frozenset[str]]:
    """The passages that humans marked, of each query."""
    candidates = flat(pool["candidates"])
    marked = to_numpy(pc.struct_field(candidates, "human"))
    lengths = lengths_of(pool["candidates"])
    owners = np.repeat(np.arange(len(lengths)), lengths)[marked]
    docids = pc.struct_field(candidates, "docid").filter(pa.array(marked)).to_pylist()
    found: list[set[str]] = [set() for _ in range(len(lengths))]
    for owner, docid in zip(owners.tolist(), docids, strict=True):
        found[owner].add(docid)
    return list(map(frozenset, found))


def _said(
    judge: Judge, path: Path, pool: pa.Table, human: Sequence[frozenset[str]]
) -> Iterator[tuple[str, list[str] | None]]:
    """Outcome and chosen passages of every query of a shard, in the pool's order."""
    column = "scores" if judge.soft else "docids"
    rows = ANNOTATION.read(path, ["query_id", "outcome", column])
    if not rows["query_id"].combine_chunks().equals(pool["query_id"].combine_chunks()):
        raise InputError(
            "these are not the queries of the pool's shard, in its order.", hint=_ANNOTATE_AGAIN, path=path
        )
    if not judge.soft:
        outcomes, lists = rows["outcome"].to_pylist(), rows["docids"].to_pylist()
        yield from zip(outcomes, map(judge.positives, lists), strict=True)
        return
    entries, lengths = flat(rows["scores"]), lengths_of(rows["scores"])
    scores = to_numpy(pc.struct_field(entries, "score"))
    best = [
        start + np.argsort(-scores[start : start + length], kind="stable")[: len(marked)]
        for start, length, marked in zip(np.cumsum(lengths) - lengths, lengths, human, strict=True)
    ]
    taken = pc.struct_field(entries, "docid").take(pa.array(np.concatenate([np.empty(0, np.int64), *best])))
    docids = iter(taken.to_pylist())
    for outcome, length, places in zip(rows["outcome"].to_pylist(), lengths, best, strict=True):
        chosen = list(islice(docids, len(places)))
        yield outcome, chosen if length else None


def _positives(path: Path) -> dict[str, list[str]]:
    """The positives of every query of a label set."""
    found: dict[str, list[str]] = {}
    for batch in LABELS.batches(path, rows=1 << 16):
        for query_id in pc.unique(batch["query_id"]).to_pylist():
            found.setdefault(query_id, [])
        for row in batch.filter(pc.greater(batch["label"], 0)).select(["query_id", "docid"]).to_pylist():
            found[row["query_id"]].append(row["docid"])
    return found


def _rows(schema: Schema, path: Path, query_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows of some queries, by query id; of row groups without any of them the ids alone are read."""
    wanted = pa.array(query_ids, pa.string())
    found: dict[str, dict[str, Any]] = {}
    with schema.open(path) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["query_id"])["query_id"]
            if not pc.any(pc.is_in(ids, value_set=wanted)).as_py():
                continue
            for batch in file.iter_batches(batch_size=_BATCH_QUESTIONS, row_groups=[group]):
                kept = batch.filter(pc.is_in(batch["query_id"], value_set=wanted))
                found |= {row["query_id"]: row for row in kept.to_pylist()}
    return found


def _cards_of_shard(
    judges: Sequence[Judge],
    files: CardFiles,
    shard: str,
    label_sets: Mapping[Judge, Mapping[str, list[str]]],
    query_ids: Sequence[str],
) -> dict[str, dict[str, Any]]:
    pool = _rows(POOL, files.pool / f"{shard}.parquet", query_ids)
    said = {
        judge: _rows(ANNOTATION, files.of_judge(judge, shard), query_ids) for judge in judges if judge.stage is not None
    }
    relevant = {judge.annotator: rows for judge, rows in said.items() if judge.stage == "relsel"}
    cards = {}
    for query_id, row in pool.items():
        judgements: list[dict[str, Any] | None] = []
        for judge in judges:
            if judge.stage is None:
                judgements.append(labelled(label_sets[judge].get(query_id), row["candidates"]))
                continue
            kept = relevant[judge.annotator][query_id]["docids"] if judge.narrowed else None
            judgements.append(judgement(judge, said[judge][query_id], row["candidates"], kept))
        passages = [
            {"docid": entry["docid"], "title": entry["title"], "human": entry["human"]}
            | cut(entry["text"], _PASSAGE_CHARACTERS)
            for entry in row["candidates"]
        ]
        cards[query_id] = {
            "query_id": query_id,
            "query": row["query"],
            "passages": passages,
            "judgements": judgements,
        }
    return cards
