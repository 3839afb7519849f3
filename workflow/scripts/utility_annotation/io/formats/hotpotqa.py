"""HotpotQA: a JSON list of ``{"_id": …, "question": …, "answer": …, …}``, whose ids are those of BEIR's HotpotQA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import documents
from .rows import Answers, Query


def read_queries(path: Path) -> Iterator[Query]:
    """``_id`` and ``question``."""
    return (Query(row.line, row.identifier("_id"), row.text("question")) for row in documents.rows(path))


def read_answers(path: Path) -> Iterator[Answers]:
    """``_id`` and ``answer``: one answer per question."""
    return (Answers(row.line, row.identifier("_id"), [row.text("answer")]) for row in documents.rows(path))
