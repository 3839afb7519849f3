"""Rows whose values have names: JSON objects, parquet rows, tables with a header.

The names are those of the schemas (``docid``, ``title``, ``text``; ``query_id``, ``text``; ``query_id``, ``docid``,
``grade``; ``query_id``, ``answers``), or what ``columns`` says instead. Other values are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from .fields import Row
from .rows import Answers, Judgement, PassageRow, Query

Columns = Mapping[str, str]
"""A schema's column → its name in the file; a column that is not given has its own name."""

OWN_NAMES: Columns = {}

_Read = TypeVar("_Read")


def reader(
    read: Callable[[Iterable[Row], Columns], Iterator[_Read]], rows: Callable[[Path], Iterable[Row]]
) -> Callable[..., Iterator[_Read]]:
    """What reads such rows from a path, and from a path and the columns' names."""
    return lambda path, columns=OWN_NAMES: read(rows(path), columns)


def passages(rows: Iterable[Row], columns: Columns = OWN_NAMES) -> Iterator[PassageRow]:
    """Passages; the title may be absent."""
    docid, title, text = (columns.get(name, name) for name in ("docid", "title", "text"))
    return (PassageRow(row.line, *row.passage(docid, title, text)) for row in rows)


def queries(rows: Iterable[Row], columns: Columns = OWN_NAMES) -> Iterator[Query]:
    """Questions."""
    query_id, text = (columns.get(name, name) for name in ("query_id", "text"))
    return (Query(row.line, row.identifier(query_id), row.text(text)) for row in rows)


def judgements(rows: Iterable[Row], columns: Columns = OWN_NAMES) -> Iterator[Judgement]:
    """Relevance judgements."""
    query_id, docid, grade = (columns.get(name, name) for name in ("query_id", "docid", "grade"))
    return (Judgement(row.line, row.identifier(query_id), row.identifier(docid), row.grade(grade)) for row in rows)


def answers(rows: Iterable[Row], columns: Columns = OWN_NAMES) -> Iterator[Answers]:
    """Short answers; the list may be null or empty, an answer may not."""
    query_id, found = (columns.get(name, name) for name in ("query_id", "answers"))
    return (Answers(row.line, row.identifier(query_id), row.strings(found)) for row in rows)
