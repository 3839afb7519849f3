"""DPR's files: ``psgs_w100.tsv``, Wikipedia in passages of 100 words, and the training JSON ``biencoder-*.json``.

The training JSON is a list of ``{"question": …, "answers": […], "positive_ctxs": [{"passage_id": …, …}, …], …}``. Its
questions have no ids; a question's number in the list, from 1, is its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...common.errors import InputError
from . import delimited, documents, lines
from .fields import Row
from .rows import Answers, Judgement, PassageRow, Query, TrainingRow

_HEADER = ("id", "text", "title")
_POSITIVES = "positive_ctxs"
_NEGATIVES = ("hard_negative_ctxs", "negative_ctxs")


def read_passages(path: Path) -> Iterator[PassageRow]:
    """``id``, ``text`` and ``title`` between tabs under a header line; double quotes stand around what needs them."""
    records = delimited.records(path, "\t")
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
        row = Row(path, number, dict(zip(_HEADER, record, strict=True)))
        yield PassageRow(number, *row.passage("id"))


def read_queries(path: Path) -> Iterator[Query]:
    """The questions of a training JSON."""
    return (Query(row.line, str(row.line), row.text("question")) for row in documents.rows(path))


def read_judgements(path: Path) -> Iterator[Judgement]:
    """The positives of a training JSON, each with grade 1 and once per question."""
    for row in documents.rows(path):
        docids = (passage.identifier(_id_key(passage)) for passage in row.objects(_POSITIVES))
        for docid in dict.fromkeys(docids):
            yield Judgement(row.line, str(row.line), docid, 1)


def read_rows(path: Path) -> Iterator[TrainingRow]:
    """The questions of a training JSON with their passages; among the negatives the hard ones come first."""
    for row in documents.rows(path):
        passages: dict[str, tuple[str | None, str]] = {}
        docids: dict[str, list[str]] = {}
        for key in (_POSITIVES, *(key for key in _NEGATIVES if key in row.values)):
            for each in row.objects(key):
                docid, title, text = each.passage(_id_key(each))
                passages.setdefault(docid, (title, text))
                docids.setdefault(key, []).append(docid)
        negatives = [docid for key in _NEGATIVES for docid in docids.get(key, ())]
        yield TrainingRow(
            row.line, str(row.line), row.text("question"), docids.get(_POSITIVES, []), negatives, passages
        )


def read_answers(path: Path) -> Iterator[Answers]:
    """The answers of a training JSON."""
    return (Answers(row.line, str(row.line), row.answers("answers")) for row in documents.rows(path))


def _id_key(passage: Row) -> str:
    """Where a passage's id stands: NQ's file has ``passage_id``, TriviaQA's has ``psg_id``."""
    return "psg_id" if "psg_id" in passage.values else "passage_id"
