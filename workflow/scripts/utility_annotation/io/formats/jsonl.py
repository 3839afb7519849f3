"""JSON lines, one object per line, in one or several files; see :mod:`.records` for the keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..archives import JSON_LINES, shards
from . import lines, records
from .fields import Row, through
from .rows import Answers, Judgement, PassageRow, Query


def rows(path: Path) -> Iterator[Row]:
    """The object of each line of a file, of a folder's ``.jsonl`` files, or of the files of a pattern."""
    return through(shards(path, JSON_LINES) or [path], _rows)


def _rows(file: Path) -> Iterator[Row]:
    return (Row(file, number, lines.json_object(line, file, number)) for number, line in lines.iter_lines(file))


def read_passages(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[PassageRow]:
    """``{"docid": …, "title": …, "text": …}``; the title may be absent."""
    return records.passages(rows(path), columns)


def read_queries(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Query]:
    """``{"query_id": …, "text": …}``."""
    return records.queries(rows(path), columns)


def read_judgements(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Judgement]:
    """``{"query_id": …, "docid": …, "grade": …}``."""
    return records.judgements(rows(path), columns)


def read_answers(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Answers]:
    """``{"query_id": …, "answers": […]}``; the list may be empty, an answer may not."""
    return records.answers(rows(path), columns)
