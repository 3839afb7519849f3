"""HotpotQA, as its publisher's JSON list or as the hub's parquet; the ids are those of BEIR's HotpotQA.

A row is ``{"_id": …, "question": …, "answer": …, "supporting_facts": [[title, sentence], …],
"context": [[title, [sentence, …]], …]}``. In parquet the last two are structs of lists (``title``, ``sentences``), and
the id is ``id``. The supports are the judgements, see :mod:`.multihop`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import containers, multihop
from .fields import Row
from .rows import Answers, Judgement, PassageRow, Query

_IDS = ("_id", "id")


def read_passages(path: Path) -> Iterator[PassageRow]:
    """The passages of every ``context``: title, and the sentences as one text."""
    return multihop.passages((row, _context(row)) for row in containers.rows(path, "context"))


def read_queries(path: Path) -> Iterator[Query]:
    """``_id`` and ``question``."""
    return (Query(row.line, _id(row), row.text("question")) for row in containers.rows(path, *_IDS, "question"))


def read_judgements(path: Path) -> Iterator[Judgement]:
    """The passages of ``context`` that ``supporting_facts`` names.

    Raises:
        InputError: a fact is of a passage that the question does not come with, as in HotpotQA's full-wiki files.
    """
    rows = containers.rows(path, *_IDS, "supporting_facts", "context")
    return multihop.judgements((row, _id(row), _supports(row)) for row in rows)


def read_answers(path: Path) -> Iterator[Answers]:
    """``_id`` and ``answer``: one answer per question."""
    return (Answers(row.line, _id(row), [row.text("answer")]) for row in containers.rows(path, *_IDS, "answer"))


def _id(row: Row) -> str:
    return row.identifier("id" if "_id" not in row.values and "id" in row.values else "_id")


def _context(row: Row) -> multihop.Context:
    pairs = _pairs(row, "context", "sentences")
    return [
        Row(row.path, row.in_file, {"title": name, "text": _joined(row, of)}).title_and_text() for name, of in pairs
    ]


def _supports(row: Row) -> multihop.Context:
    names = {str(name) for name, _ in _pairs(row, "supporting_facts", "sent_id")}
    found = [passage for passage in _context(row) if passage[0] in names]
    if lacking := names - {title for title, _ in found}:
        raise row.error(
            f"`supporting_facts` names {min(lacking)[:80]!r}, which is no passage of `context`.",
            "remove the row, or take the file whose contexts hold every support (distractor, not fullwiki).",
        )
    return found


def _pairs(row: Row, name: str, second: str) -> list[tuple[Any, Any]]:
    """A list of pairs, or a struct of two lists, which is how parquet has it."""
    value = row.values.get(name)
    if isinstance(value, Mapping) and all(isinstance(value.get(key), list) for key in ("title", second)):
        value = [*map(list, zip(value["title"], value[second], strict=False))]
    if type(value) is not list or not all(type(pair) is list and len(pair) == 2 for pair in value):
        raise row.error(f"`{name}` is no list of pairs of title and {second}.", "correct the row, or `format`.")
    return [(title, other) for title, other in value]


def _joined(row: Row, sentences: object) -> str:
    """The text of sentences that bring the blanks between them along, as published, or that do not."""
    if type(sentences) is not list or not all(type(sentence) is str for sentence in sentences):
        raise row.error("a passage of `context` has no list of sentences.", "correct the row, or `format`.")
    spaced = any(sentence[:1].isspace() or sentence[-1:].isspace() for sentence in sentences)
    return ("" if spaced else " ").join(sentences).strip()
