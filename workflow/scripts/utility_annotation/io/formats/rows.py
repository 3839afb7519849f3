"""What the readers yield: the line (or item) of a row, then the columns of its schema, in the schema's order."""

from __future__ import annotations

from typing import NamedTuple


class PassageRow(NamedTuple):
    """A passage of a corpus (schema ``CORPUS``)."""

    line: int
    docid: str
    title: str | None
    text: str


class Query(NamedTuple):
    """A question (schema ``QUERIES``)."""

    line: int
    query_id: str
    text: str


class Hit(NamedTuple):
    """A line of a run."""

    line: int
    query_id: str
    docid: str
    score: float


class Judgement(NamedTuple):
    """A relevance judgement (schema ``QRELS``)."""

    line: int
    query_id: str
    docid: str
    grade: int


class Answers(NamedTuple):
    """The short answers to a question (schema ``ANSWERS``)."""

    line: int
    query_id: str
    answers: list[str]


class TrainingRow(NamedTuple):
    """A question with its published positives and hard negatives, in published order.

    ``passages`` holds (title, text) by docid where the row carries the texts, and is empty where it carries ids only.
    """

    line: int
    query_id: str
    query: str
    positives: list[str]
    negatives: list[str]
    passages: dict[str, tuple[str | None, str]]
