"""MS MARCO's passage files: tab-separated without quoting. A quotation mark is a character like any other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...common.errors import InputError
from . import fields, lines, trec
from .rows import PassageRow, Query

_HEADING = re.compile(r"_?#?((q|d|p|query|doc|document|passage|topic|question)?[-_ .]?ids?|qno|docno)", re.IGNORECASE)
"""What a header line calls the column of ids."""

read_judgements = trec.read_judgements
"""MS MARCO's qrels are TREC's four columns (query id, 0, passage id, grade) with tabs between them."""


def read_passages(path: Path) -> Iterator[PassageRow]:
    """``collection.tsv``: passage id, text. The passages have no titles."""
    for line, docid, text in _pairs(path, ("passage id", "text")):
        yield PassageRow(line, docid, None, "" if fields.is_blank(text) else text)


def read_queries(path: Path) -> Iterator[Query]:
    """``queries.*.tsv``: query id, text."""
    for line, query_id, text in _pairs(path, ("query id", "text")):
        if fields.is_blank(text):
            fields.Row(path, line, {"text": text}).text("text")
        yield Query(line, query_id, text)


def _pairs(path: Path, names: tuple[str, str]) -> Iterator[tuple[int, str, str]]:
    for number, line in lines.iter_lines(path):
        identifier, text = lines.columns(line, names, path, number)
        if number == 1 and _HEADING.fullmatch(identifier.strip()):
            raise InputError(
                f"this is a header line ({identifier}, {text}), which MS MARCO's files do not have.",
                hint="set `format` to csv and name the columns in `columns`, such as {query_id: qid}.",
                path=path,
                line=number,
            )
        if not fields.is_id(identifier):
            fields.Row(path, number, {names[0]: identifier}).identifier(names[0])
        yield number, identifier, text
