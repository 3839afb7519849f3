"""Questions of a pool with every judgement of their passages, collected from the files of humans and annotators.

A pool can hold half a million questions of 31 passages. So the ids, outcomes and selections of all questions are read
first, one shard after the other. Everything else is read of the chosen questions only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.schemas import ANNOTATION, ANSWERS, LABELS, POOL, Schema
from ..labels.shards import ANNOTATE_AGAIN, flat, lengths_of, read_candidates, to_numpy
from ..pools.shards import shard_names
from .choice import Choice
from .judges import CardSettings, Judge, facts
from .marks import best, cut, judgement, labelled

_PASSAGE_CHARACTERS = 6_000
_BATCH_QUESTIONS = 256


@dataclass(frozen=True)
class CardFiles:
    """Where the files lie.

    Attributes:
        pool: folder of the pool's shards.
        annotation: folder of the pool's annotation, with a folder per annotator and in it one per stage.
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
    passage a mark, and other columns of the annotation's row, see :mod:`.marks`; null where a label set lacks the
    question.

    Raises:
        InputError: a file is missing, or does not belong to the pool.
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
            said: Iterable[Any] = (
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
) -> Iterable[tuple[str, list[str] | None]]:
    """Outcome and chosen passages of every query of a shard, in the pool's order."""
    column = "scores" if judge.soft else "docids"
    rows = ANNOTATION.read(path, ["query_id", "outcome", column])
    if not rows["query_id"].combine_chunks().equals(pool["query_id"].combine_chunks()):
        raise InputError("these are not the queries of the pool's shard, in its order.", hint=ANNOTATE_AGAIN, path=path)
    outcomes, results = rows["outcome"].to_pylist(), rows[column].to_pylist()
    if judge.soft:
        return zip(outcomes, (best(*pair) for pair in zip(results, map(len, human), strict=True)), strict=True)
    return zip(outcomes, map(judge.positives, results), strict=True)


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
    by_stage = {(judge.annotator, judge.stage): rows for judge, rows in said.items()}
    cards = {}
    for query_id, row in pool.items():
        judgements: list[dict[str, Any] | None] = []
        for judge in judges:
            if judge.stage is None:
                judgements.append(labelled(label_sets[judge].get(query_id), row["candidates"]))
                continue
            narrowing = by_stage[judge.annotator, judge.narrowed_by][query_id] if judge.narrowed_by else {}
            kept = narrowing.get("docids")
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
