"""DPR's files: ``psgs_w100.tsv``, Wikipedia in passages of 100 words, and the training JSON ``biencoder-*.json``.

The training JSON is a list of ``{"question": …, "answers": […], "positive_ctxs": [{"passage_id": …, …}, …], …}``. Its
questions have no ids; a question's number in the list, from 1, is its id.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ...common.errors import InputError
from . import documents, fields, lines
from .rows import Answers, Judgement, PassageRow, Query

_HEADER = ("id", "text", "title")


def read_passages(path: Path) -> Iterator[PassageRow]:
    """``id``, ``text`` and ``title`` between tabs under a header line; double quotes stand around what needs them."""
    records = _records(path)
    number, header = next(records, (1, list(_HEADER)))
    if header != list(_HEADER):
        raise InputError(
            "this is not the header line of DPR's passages.",
            hint=f"put {', '.join(_HEADER)}, separated by tabs, on the first line.",
            path=path,
            line=number,
        )
    for number, record in records:
        if len(record) != len(_HEADER):
            raise lines.wrong_columns(len(record), _HEADER, path, number, "tabs")
        docid, text, title = record
        yield PassageRow(number, *fields.passage({"id": docid, "title": title, "text": text}, "id", path, number))


def read_queries(path: Path) -> Iterator[Query]:
    """The questions of a training JSON."""
    for number, row in documents.iter_objects(path):
        yield Query(number, str(number), fields.text(row.get("question"), "question", path, number))


def read_judgements(path: Path) -> Iterator[Judgement]:
    """The positives of a training JSON, each with grade 1 and once a question.

    A passage's id stands under ``passage_id`` in NQ's file and under ``psg_id`` in TriviaQA's.
    """
    for number, row in documents.iter_objects(path):
        docids = (_docid(passage, path, number) for passage in _passages(row.get("positive_ctxs"), path, number))
        for docid in dict.fromkeys(docids):
            yield Judgement(number, str(number), docid, 1)


def read_answers(path: Path) -> Iterator[Answers]:
    """The answers of a training JSON."""
    for number, row in documents.iter_objects(path):
        yield Answers(number, str(number), fields.answers(row.get("answers"), "answers", path, number))


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line of its beginning, columns) of each record; within quotes a record may go on over several lines."""
    last = 0

    def decoded() -> Iterator[str]:
        nonlocal last
        for number, line in lines.iter_whole_lines(path):
            last = number
            yield lines.decode(line, path, number)

    first = 1
    try:
        for record in csv.reader(decoded(), delimiter="\t", strict=True):
            if record:
                yield first, record
            first = last + 1
    except csv.Error as error:
        raise InputError(
            f"the quoting of this record is broken ({error}).",
            hint='put a column that holds a double quote in double quotes, and write each quote in it as "".',
            path=path,
            line=first,
        ) from None


def _passages(value: object, path: Path, number: int) -> list[dict[str, object]]:
    if not isinstance(value, list) or not all(isinstance(passage, dict) for passage in value):
        raise InputError(
            "`positive_ctxs` is missing or no list of objects.",
            hint="give it as a list of passages, empty if there is none.",
            path=path,
            line=number,
        )
    return value


def _docid(passage: dict[str, object], path: Path, number: int) -> str:
    name = "psg_id" if "psg_id" in passage else "passage_id"
    return fields.identifier(passage.get(name), name, path, number)
