"""JSON lines whose keys are the contracts' column names; other keys are left aside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import fields, lines
from .rows import Answers, Judgement, Passage, Query


def read_passages(path: Path, docid: str = "docid") -> Iterator[Passage]:
    """``{"docid": …, "title": …, "text": …}``; the title may be absent. ``docid`` names the key of the id."""
    for number, line in lines.iter_lines(path):
        yield Passage(number, *fields.passage(lines.json_object(line, path, number), docid, path, number))


def read_queries(path: Path, query_id: str = "query_id") -> Iterator[Query]:
    """``{"query_id": …, "text": …}``. ``query_id`` names the key of the id."""
    for number, line in lines.iter_lines(path):
        row = lines.json_object(line, path, number)
        yield Query(
            number,
            fields.identifier(row.get(query_id), query_id, path, number),
            fields.text(row.get("text"), "text", path, number),
        )


def read_judgements(path: Path) -> Iterator[Judgement]:
    """``{"query_id": …, "docid": …, "grade": …}``."""
    for number, line in lines.iter_lines(path):
        row = lines.json_object(line, path, number)
        yield Judgement(
            number,
            fields.identifier(row.get("query_id"), "query_id", path, number),
            fields.identifier(row.get("docid"), "docid", path, number),
            fields.grade(row.get("grade"), path, number),
        )


def read_answers(path: Path) -> Iterator[Answers]:
    """``{"query_id": …, "answers": […]}``; the list may be empty, an answer may not."""
    for number, line in lines.iter_lines(path):
        row = lines.json_object(line, path, number)
        yield Answers(
            number,
            fields.identifier(row.get("query_id"), "query_id", path, number),
            fields.strings(row.get("answers"), "answers", path, number),
        )
