"""MuSiQue: one ``{"id": …, "question": …, "answer": …, "answer_aliases": […], "answerable": …, "paragraphs": […]}`` per
line.

A paragraph is ``{"idx": …, "title": …, "paragraph_text": …, "is_supporting": …}``; the supports are the judgements, see
:mod:`.multihop`. A row of MuSiQue-Full that is not answerable is the same question under the same id, with supports
withheld. Its passages are in the corpus, so the question can be answered there, and the row itself is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import containers, multihop
from .fields import Row
from .rows import Answers, Judgement, PassageRow, Query


def read_passages(path: Path) -> Iterator[PassageRow]:
    """The paragraphs of every row."""
    rows = containers.rows(path, "paragraphs")
    return multihop.passages((row, [_passage(each) for each in row.objects("paragraphs")]) for row in rows)


def read_queries(path: Path) -> Iterator[Query]:
    """``id`` and ``question``."""
    return (Query(row.line, row.identifier("id"), row.text("question")) for row in _answerable(path, "question"))


def read_judgements(path: Path) -> Iterator[Judgement]:
    """The paragraphs whose ``is_supporting`` is true."""
    rows = _answerable(path, "paragraphs")
    return multihop.judgements((row, row.identifier("id"), _supports(row)) for row in rows)


def read_answers(path: Path) -> Iterator[Answers]:
    """``answer``, then ``answer_aliases``, each once."""
    for row in _answerable(path, "answer", "answer_aliases"):
        aliases = row.answers("answer_aliases") if "answer_aliases" in row.values else []
        yield Answers(row.line, row.identifier("id"), list(dict.fromkeys([row.text("answer"), *aliases])))


def _answerable(path: Path, *columns: str) -> Iterator[Row]:
    rows = containers.rows(path, "id", "answerable", *columns)
    return (row for row in rows if row.values.get("answerable") is not False)


def _supports(row: Row) -> multihop.Context:
    return [_passage(each) for each in row.objects("paragraphs") if each.flag("is_supporting")]


def _passage(paragraph: Row) -> tuple[str | None, str]:
    return paragraph.title_and_text("title", "paragraph_text")
