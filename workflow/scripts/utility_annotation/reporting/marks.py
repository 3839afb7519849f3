"""The judgement of one judge on one question, passage by passage.

A mark is null where the judge was not shown the passage. Otherwise it has ``positive``, the ``rank`` in a ranking, the
``score`` and the ``place`` in the list that was shown, both from 1. Long texts are cut, and come as ``text`` with the
number of characters ``left_out``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .judges import Judge, facts

_REPLY_CHARACTERS = 20_000
_BESIDES = ("whole_pool", "attempts", "cut_words", "prompt_tokens", "completion_tokens", "finish_reason")


def labelled(positives: Sequence[str] | None, candidates: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The judgement of a label set on a question with these candidates; None where it lacks the question."""
    if positives is None:
        return None
    marks = [
        {"positive": candidate["docid"] in positives, "rank": None, "score": None, "place": None}
        for candidate in candidates
    ]
    return {"facts": facts("ok" if positives else "empty", positives, _human(candidates)), "marks": marks}


def judgement(
    judge: Judge, row: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]], kept: Sequence[str] | None
) -> dict[str, Any]:
    """The judgement of a stage on a question: ``facts``, ``marks``, ``answer``, ``replies`` and columns of the row.

    Args:
        judge: the stage.
        row: of the annotation, see :func:`..annotation.shard.annotate`.
        candidates: of the pool.
        kept: what a relevance selection left, if one came before; where it left nothing, all candidates were shown.
    """
    docids = [candidate["docid"] for candidate in candidates]
    scores = {entry["docid"]: entry["score"] for entry in row["scores"] or ()}
    listed, ranked = row["docids"], judge.ranked
    positives = judge.positives(listed)
    if judge.soft and scores:  # compared by as many of the best as humans marked, but none is positive
        listed, ranked = best(row["scores"], len(docids)), True
        positives = best(row["scores"], len(_human(candidates)))
    ranks = {docid: rank for rank, docid in enumerate(listed or (), 1)} if ranked else {}
    selected = set() if judge.soft else set(positives or ())
    shown = [docid for docid in docids if docid in set(kept)] if kept else docids
    places = {docid: place for place, docid in enumerate(shown, 1)}
    marks = [
        {
            "positive": docid in selected,
            "rank": ranks.get(docid),
            "score": scores.get(docid),
            "place": places[docid],
        }
        if docid in places
        else None
        for docid in docids
    ]
    return {
        "facts": facts(row["outcome"], positives, _human(candidates)),
        "marks": marks,
        "answer": None if row["answer"] is None else cut(row["answer"], _REPLY_CHARACTERS),
        "replies": [cut(reply, _REPLY_CHARACTERS) for reply in row["replies"]],
        **{name: row[name] for name in _BESIDES},
    }


def best(scores: Sequence[Mapping[str, Any]] | None, count: int) -> list[str] | None:
    """The passages with the highest scores, best first; None where there are no scores."""
    ordered = sorted(scores or (), key=lambda entry: -entry["score"])
    return [entry["docid"] for entry in ordered[:count]] if ordered else None


def cut(text: str, characters: int) -> dict[str, Any]:
    """A text of at most so many characters, and how many more it has."""
    return {"text": text[:characters], "left_out": max(0, len(text) - characters)}


def _human(candidates: Sequence[Mapping[str, Any]]) -> set[str]:
    return {candidate["docid"] for candidate in candidates if candidate["human"]}
