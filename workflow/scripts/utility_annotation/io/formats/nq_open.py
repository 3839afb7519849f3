"""NQ-open: one ``{"question": …, "answer": [...]}`` per line. A question has no id; its text identifies it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import jsonl
from .rows import Answers, Query


def read_queries(path: Path) -> Iterator[Query]:
    """The questions; the id of a question is the number of its line."""
    return (Query(row.line, str(row.line), row.text("question")) for row in jsonl.rows(path))


def read_answers(path: Path) -> Iterator[Answers]:
    """The answers; the question, as ``normalised`` writes it, replaces the id."""
    return (Answers(row.line, normalised(row.text("question")), row.answers("answer")) for row in jsonl.rows(path))


def normalised(question: str) -> str:
    """A question without what differs between its copies: case, white space, and question marks at its end."""
    return " ".join(question.casefold().split()).rstrip("? ")
