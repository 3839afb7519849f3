"""NQ-open: one ``{"question": …, "answer": [...]}`` a line. Its questions have no ids and are known by their text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import fields, lines
from .rows import Answers, Query


def read_queries(path: Path) -> Iterator[Query]:
    """The questions; the number of its line is a question's id."""
    for number, question, _ in _rows(path):
        yield Query(number, str(number), question)


def read_answers(path: Path) -> Iterator[Answers]:
    """The answers; in place of an id stands the question as ``normalised`` writes it."""
    for number, question, answers in _rows(path):
        yield Answers(number, normalised(question), fields.answers(answers, "answer", path, number))


def normalised(question: str) -> str:
    """A question without what differs between copies of it: case, white space, and question marks at its end."""
    return " ".join(question.casefold().split()).rstrip("? ")


def _rows(path: Path) -> Iterator[tuple[int, str, object]]:
    for number, line in lines.iter_lines(path):
        row = lines.json_object(line, path, number)
        yield number, fields.text(row.get("question"), "question", path, number), row.get("answer")
