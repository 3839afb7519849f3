"""Readers and writers of the outside world's formats, one module a format.

Every reader streams: it yields one row at a time, with the line (or the item of a JSON document) at which it stands,
and raises InputError, naming file and line, for the first thing that is wrong. The functions here choose the reader
that a Source asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from ...common.errors import InputError
from ...settings import Source
from . import beir, dpr, hotpotqa, jsonl, msmarco, msmarco_qa, nq_open, parquet, tevatron, trec
from .rows import Answers, Judgement, Passage, Query

Row = TypeVar("Row")

_PASSAGES = {
    "msmarco": msmarco.read_passages,
    "beir": beir.read_passages,
    "jsonl": jsonl.read_passages,
    "parquet": parquet.read_passages,
    "dpr": dpr.read_passages,
}
_QUERIES = {
    "msmarco": msmarco.read_queries,
    "beir": beir.read_queries,
    "jsonl": jsonl.read_queries,
    "parquet": parquet.read_queries,
    "msmarco-qa": msmarco_qa.read_queries,
    "hotpotqa": hotpotqa.read_queries,
    "nq-open": nq_open.read_queries,
    "dpr": dpr.read_queries,
}
_JUDGEMENTS = {
    "msmarco": msmarco.read_judgements,
    "beir": beir.read_judgements,
    "trec": trec.read_judgements,
    "jsonl": jsonl.read_judgements,
    "parquet": parquet.read_judgements,
    "tevatron": tevatron.read_judgements,
    "dpr": dpr.read_judgements,
}
_ANSWERS = {
    "jsonl": jsonl.read_answers,
    "parquet": parquet.read_answers,
    "msmarco-qa": msmarco_qa.read_answers,
    "hotpotqa": hotpotqa.read_answers,
    "nq-open": nq_open.read_answers,
    "dpr": dpr.read_answers,
}

_COLUMNS = {
    "passages": ("docid", "title", "text"),
    "queries": ("query_id", "text"),
    "judgements": ("query_id", "docid", "grade"),
    "answers": ("query_id", "answers"),
}
"""What of a source's ``columns`` each kind of rows has."""


def read_passages(source: Source) -> Iterator[Passage]:
    """The passages of a corpus, in the file's order."""
    return _read("passages", _PASSAGES, source)


def read_queries(source: Source) -> Iterator[Query]:
    """The questions, in the file's order."""
    return _read("queries", _QUERIES, source)


def read_judgements(source: Source) -> Iterator[Judgement]:
    """The relevance judgements, in the file's order."""
    return _read("judgements", _JUDGEMENTS, source)


def read_answers(source: Source) -> Iterator[Answers]:
    """The short answers, in the file's order; their query ids are what ``answer_key`` returns for their questions."""
    return _read("answers", _ANSWERS, source)


def answer_key(source: Source, query_id: str, text: str) -> str:
    """How a source of answers names a question: by its id, or, where the file has no ids, by its normalised text."""
    return nq_open.normalised(text) if source.format == "nq-open" else query_id


def _read(kind: str, readers: Mapping[str, Callable[..., Iterator[Row]]], source: Source) -> Iterator[Row]:
    if source.format not in readers:
        raise InputError(
            f"format {source.format!r} holds no {kind}.",
            hint=f"set `format` to one of {', '.join(readers)}.",
            path=source.path,
        )
    if strange := [column for column in source.columns if column not in _COLUMNS[kind]]:
        raise InputError(
            f"`columns` names {', '.join(strange)}, which {kind} do not have.",
            hint=f"name only {', '.join(_COLUMNS[kind])} there.",
            path=source.path,
        )
    reader, path = readers[source.format], Path(source.path)
    return reader(path, source.columns) if source.columns else reader(path)
