"""HotpotQA: a JSON list of ``{"_id": …, "question": …, "answer": …, …}``, whose ids are those of BEIR's HotpotQA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import documents, fields
from .rows import Answers, Query


def read_queries(path: Path) -> Iterator[Query]:
    """``_id`` and ``question``."""
    for number, row in documents.iter_objects(path):
        yield Query(
            number,
            fields.identifier(row.get("_id"), "_id", path, number),
            fields.text(row.get("question"), "question", path, number),
        )


def read_answers(path: Path) -> Iterator[Answers]:
    """``_id`` and ``answer``: one answer per question."""
    for number, row in documents.iter_objects(path):
        yield Answers(
            number,
            fields.identifier(row.get("_id"), "_id", path, number),
            [fields.text(row.get("answer"), "answer", path, number)],
        )
