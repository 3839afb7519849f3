"""Rows of files whose columns have names: JSON lines and parquet.

The names are the schemas' own (``docid``, ``title``, ``text``; ``query_id``, ``text``; ``query_id``, ``docid``,
``grade``; ``query_id``, ``answers``), or whatever ``columns`` of a Source says instead; other columns are left aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ...common.errors import InputError
from . import fields
from .rows import Answers, Judgement, PassageRow, Query

Records = Iterator[tuple[int, Mapping[str, object]]]
"""(line or item, row)."""

Columns = Mapping[str, str]
"""A schema's column → its name in the file; one that is not given has its own name."""

OWN_NAMES: Columns = {}


def passages(records: Records, path: Path, columns: Columns) -> Iterator[PassageRow]:
    """Passages; the title may be absent."""
    docid, title, text = (columns.get(name, name) for name in ("docid", "title", "text"))
    for number, row in records:
        _check(row, (docid, text), path, number)
        yield PassageRow(number, *fields.passage(row, docid, path, number, title, text))


def queries(records: Records, path: Path, columns: Columns) -> Iterator[Query]:
    """Questions."""
    query_id, text = columns.get("query_id", "query_id"), columns.get("text", "text")
    for number, row in records:
        _check(row, (query_id, text), path, number)
        yield Query(
            number,
            fields.identifier(row.get(query_id), query_id, path, number),
            fields.text(row.get(text), text, path, number),
        )


def judgements(records: Records, path: Path, columns: Columns) -> Iterator[Judgement]:
    """Relevance judgements."""
    query_id, docid, grade = (columns.get(name, name) for name in ("query_id", "docid", "grade"))
    for number, row in records:
        _check(row, (query_id, docid, grade), path, number)
        yield Judgement(
            number,
            fields.identifier(row.get(query_id), query_id, path, number),
            fields.identifier(row.get(docid), docid, path, number),
            fields.grade(row.get(grade), path, number, grade),
        )


def answers(records: Records, path: Path, columns: Columns) -> Iterator[Answers]:
    """Short answers; the list may be empty, an answer may not."""
    query_id, column = columns.get("query_id", "query_id"), columns.get("answers", "answers")
    for number, row in records:
        _check(row, (query_id, column), path, number)
        yield Answers(
            number,
            fields.identifier(row.get(query_id), query_id, path, number),
            fields.strings(row.get(column), column, path, number),
        )


def _check(row: Mapping[str, object], names: tuple[str, ...], path: Path, number: int) -> None:
    """Refuse a row that lacks one of these names, and say which it has."""
    for name in names:
        if name not in row:
            raise InputError(
                f"`{name}` is missing; the row has {', '.join(row) or 'nothing'}.",
                hint=f"give every row `{name}`; the formats jsonl and parquet take another name for it in the source's "
                "`columns`, such as {docid: id, text: body}.",
                path=path,
                line=number,
            )
