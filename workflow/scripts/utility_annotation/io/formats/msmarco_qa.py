"""MS MARCO QA (version 2.1): one JSON document by columns, ``{"query_id": {"0": …}, "query": {"0": …}, …}``.

Its question ids are those of MS MARCO's passage ranking. Memory holds the ids of all rows; the passages, which are
most of the file, are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...common.errors import InputError, ItemNumber
from . import documents
from .fields import Row
from .rows import Answers, Query

NO_ANSWER = "No Answer Present."
"""The answer of a question that its passages do not answer."""


def read_queries(path: Path) -> Iterator[Query]:
    """Columns ``query_id`` and ``query``."""
    for number, query_id, query in _rows(path, "query"):
        yield Query(number, query_id, Row(path, number, {"query": query}).text("query"))


def read_answers(path: Path) -> Iterator[Answers]:
    """Columns ``query_id`` and ``answers``.

    A question with ``NO_ANSWER`` among its answers has an empty list, as in the official scorer, and so has one with
    blanks only.
    """
    for number, query_id, answers in _rows(path, "answers"):
        found = Row(path, number, {"answers": answers}).answers("answers")
        unanswered = any(answer.strip() == NO_ANSWER for answer in found)
        yield Answers(number, query_id, [] if unanswered else found)


def _rows(path: Path, column: str) -> Iterator[tuple[ItemNumber, str, Any]]:
    """(number, query id, value) of a column's rows."""
    ids = {
        key: Row(path, number, {"query_id": value}).identifier("query_id")
        for number, key, value in documents.iter_column(path, "query_id")
    }
    number = 0
    for number, key, value in documents.iter_column(path, column):
        if key not in ids:
            raise InputError(
                f"row {key!r} has `{column}` and no `query_id`.",
                hint="fetch the file again, or give the row its id.",
                path=path,
                line=number,
            )
        yield number, ids[key], value
    if number != len(ids):
        raise InputError(
            f"it has {len(ids)} rows of `query_id` and {number} of `{column}`.",
            hint="fetch the file again, or check that it is MS MARCO QA's JSON by columns.",
            path=path,
        )
