"""JSON lines, an object each; see :mod:`.records` for their keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import lines, records
from .rows import Answers, Judgement, PassageRow, Query


def read_passages(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[PassageRow]:
    """``{"docid": …, "title": …, "text": …}``; the title may be absent."""
    return records.passages(_rows(path), path, columns)


def read_queries(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Query]:
    """``{"query_id": …, "text": …}``."""
    return records.queries(_rows(path), path, columns)


def read_judgements(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Judgement]:
    """``{"query_id": …, "docid": …, "grade": …}``."""
    return records.judgements(_rows(path), path, columns)


def read_answers(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Answers]:
    """``{"query_id": …, "answers": […]}``; the list may be empty, an answer may not."""
    return records.answers(_rows(path), path, columns)


def _rows(path: Path) -> records.Records:
    for number, line in lines.iter_lines(path):
        yield number, lines.json_object(line, path, number)
