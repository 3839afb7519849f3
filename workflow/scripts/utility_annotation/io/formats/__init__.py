"""Readers and writers of the outside world's formats, one module per format.

Every reader streams: it yields one row at a time, with the line (or the item of a JSON document) at which it stands,
and raises InputError, naming file and line, for the first thing that is wrong. The functions here choose the reader
that a Source asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ...common.errors import InputError
from ...settings import Source, entry
from . import (
    beir,
    delimited,
    documents,
    dpr,
    hotpotqa,
    jsonl,
    msmarco,
    msmarco_qa,
    musique,
    nq_open,
    parquet,
    records,
    tevatron,
    topics,
    trec,
)
from .fields import LINE
from .rows import Answers, Judgement, PassageRow, Query

Row = TypeVar("Row")
Kind = Literal["passages", "queries", "judgements", "answers"]


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes:
        description: for the reference of the configuration.
        passages, queries, judgements, answers: what reads such rows from a path, or from a path and the columns' names;
            None where the format holds none.
        columns: whether a source may name the columns, with ``columns``.
        key: what stands in the answers in place of a question's id, as a function of the question's text; None for its
            id.
    """

    description: str
    passages: Callable[..., Iterator[PassageRow]] | None = None
    queries: Callable[..., Iterator[Query]] | None = None
    judgements: Callable[..., Iterator[Judgement]] | None = None
    answers: Callable[..., Iterator[Answers]] | None = None
    columns: bool = False
    key: Callable[[str], str] | None = None

    def holds(self, kind: Kind) -> bool:
        """Whether there is a reader for such rows."""
        return getattr(self, kind) is not None


FORMATS: dict[str, Format] = {
    "msmarco": Format(
        description="MS MARCO's TSV without quoting: an id and a text, or qrels of four columns",
        passages=msmarco.read_passages,
        queries=msmarco.read_queries,
        judgements=msmarco.read_judgements,
    ),
    "beir": Format(
        description="BEIR's JSONL and TSV files, or its folder or zip",
        passages=beir.read_passages,
        queries=beir.read_queries,
        judgements=beir.read_judgements,
    ),
    "trec": Format(
        description="TREC topics (SGML, or `1:text`), and qrels of four columns",
        queries=topics.read_queries,
        judgements=trec.read_judgements,
    ),
    "jsonl": Format(
        description="one JSON object per line, in a file, a folder or a pattern, with the keys docid, title, text "
        "(corpus), query_id, text (questions), query_id, docid, grade (qrels) or query_id, answers (answers), or the "
        "names in `columns`",
        passages=jsonl.read_passages,
        queries=jsonl.read_queries,
        judgements=jsonl.read_judgements,
        answers=jsonl.read_answers,
        columns=True,
    ),
    "json": Format(
        description="a list of JSON objects with jsonl's keys, or the names in `columns`",
        passages=records.reader(records.passages, documents.rows),
        queries=records.reader(records.queries, documents.rows),
        judgements=records.reader(records.judgements, documents.rows),
        answers=records.reader(records.answers, documents.rows),
        columns=True,
    ),
    "csv": Format(
        description="CSV or TSV with a header line of jsonl's keys, or the names in `columns`; tabs, commas or "
        "semicolons separate the columns",
        passages=records.reader(records.passages, delimited.rows),
        queries=records.reader(records.queries, delimited.rows),
        judgements=records.reader(records.judgements, delimited.rows),
        columns=True,
    ),
    "parquet": Format(
        description="a file, a folder or a pattern (`part-*.parquet`), with the names of jsonl's keys, or the names in "
        "`columns`",
        passages=parquet.read_passages,
        queries=parquet.read_queries,
        judgements=parquet.read_judgements,
        answers=parquet.read_answers,
        columns=True,
    ),
    "tevatron": Format(
        description="training rows; their positives are the judgements",
        judgements=tevatron.read_judgements,
    ),
    "msmarco-qa": Format(
        description="MS MARCO QA's JSON, stored by column",
        queries=msmarco_qa.read_queries,
        answers=msmarco_qa.read_answers,
    ),
    "hotpotqa": Format(
        description="HotpotQA's JSON list or parquet; the supports are the judgements",
        passages=hotpotqa.read_passages,
        queries=hotpotqa.read_queries,
        judgements=hotpotqa.read_judgements,
        answers=hotpotqa.read_answers,
    ),
    "musique": Format(
        description="MuSiQue's JSONL; the supports are the judgements",
        passages=musique.read_passages,
        queries=musique.read_queries,
        judgements=musique.read_judgements,
        answers=musique.read_answers,
    ),
    "nq-open": Format(
        description="NQ-open's JSONL; answers are joined by the text of the question",
        queries=nq_open.read_queries,
        answers=nq_open.read_answers,
        key=nq_open.normalised,
    ),
    "dpr": Format(
        description="DPR's passages (TSV) or training JSON",
        passages=dpr.read_passages,
        queries=dpr.read_queries,
        judgements=dpr.read_judgements,
        answers=dpr.read_answers,
    ),
}
"""By the name in a source's ``format``."""

_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "passages": ("docid", "title", "text"),
    "queries": ("query_id", "text"),
    "judgements": ("query_id", "docid", "grade"),
    "answers": ("query_id", "answers"),
}
"""What of a source's ``columns`` each kind of rows has."""
_IDS: dict[Kind, str] = {"passages": "docid", "queries": "query_id"}
"""The column of ids that a kind of rows has for itself."""


def read_passages(source: Source) -> Iterator[PassageRow]:
    """The passages of a corpus, in the file's order."""
    return _read("passages", _format(source).passages, source)


def read_queries(source: Source) -> Iterator[Query]:
    """The questions, in the file's order."""
    return _read("queries", _format(source).queries, source)


def read_judgements(source: Source) -> Iterator[Judgement]:
    """The relevance judgements, in the file's order."""
    return _read("judgements", _format(source).judgements, source)


def read_answers(source: Source) -> Iterator[Answers]:
    """The short answers, in the file's order; their query ids are what ``answer_key`` returns for their questions."""
    return _read("answers", _format(source).answers, source)


def answer_key(source: Source, query_id: str, text: str) -> str:
    """How a source of answers names a question: by its id, or, where the file has no ids, by its text."""
    key = _format(source).key
    return query_id if key is None else key(text)


def holding(kind: Kind) -> list[str]:
    """The names of the formats that hold such rows."""
    return [name for name, form in FORMATS.items() if form.holds(kind)]


def _format(source: Source) -> Format:
    return entry(FORMATS, source.format, "format")


def _read(kind: Kind, reader: Callable[..., Iterator[Row]] | None, source: Source) -> Iterator[Row]:
    if reader is None:
        raise InputError(
            f"format {source.format!r} holds no {kind}.",
            hint=f"set `format` to one of {', '.join(holding(kind))}.",
            path=source.path,
        )
    if source.columns and not _format(source).columns:
        raise InputError(
            f"{wrong_columns(source.format)}.", hint="leave `columns` out, or correct `format`.", path=source.path
        )
    if strange := [column for column in source.columns if column not in _COLUMNS[kind]]:
        raise InputError(
            f"`columns` names {', '.join(strange)}, which {kind} do not have.",
            hint=f"name only {', '.join(_COLUMNS[kind])} there.",
            path=source.path,
        )
    if problem := wrong_ids(source, kind):
        raise InputError(f"{problem}.", hint="leave `ids` out, or correct `format`.", path=source.path)
    columns = source.columns | ({_IDS[kind]: LINE} if source.ids == "line" else {})
    return reader(Path(source.path), columns) if columns else reader(Path(source.path))


def wrong_ids(source: Source, kind: Kind) -> str:
    """What is wrong with ``ids`` of a source; empty if nothing is."""
    if source.ids == "file":
        return ""
    if kind not in _IDS:
        return f"`ids: line` is for passages and queries; {kind} name the ids of others"
    if not _format(source).columns:
        return f"`ids: line` is for the formats {_with_columns()}; {source.format} has ids, or numbers its rows"
    return f"`ids: line` contradicts {_IDS[kind]} in `columns`" if _IDS[kind] in source.columns else ""


def wrong_columns(form: str) -> str:
    """What is wrong with ``columns`` for a format whose columns have fixed names."""
    return f"`columns` are for the formats {_with_columns()}; those of {form} are fixed"


def _with_columns() -> str:
    return ", ".join(name for name, each in FORMATS.items() if each.columns)
