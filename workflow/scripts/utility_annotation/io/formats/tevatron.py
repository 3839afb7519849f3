"""Tevatron's training rows: a question with its positives and hard negatives, as JSON lines or as the hub's parquet.

Version 1 rows carry the passages; version 2 rows carry their ids, and the texts stand in a corpus of their own.
What pyarrow reads is imported where it is used, so that a configuration is checked without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import containers, lines
from .fields import Row, is_id
from .rows import Judgement, TrainingRow

if TYPE_CHECKING:
    import pyarrow as pa

_PASSAGES = ("positive_passages", "negative_passages")
_DOCIDS = ("positive_document_ids", "negative_document_ids")

_SPACE = r"[\s\v\x1c-\x1f\x{85}\pZ]"
"""What ``str.split`` takes for white space, as pyarrow's regular expressions have it."""


def read_rows(path: Path) -> Iterator[TrainingRow]:
    """Version 1: ``query_id``, ``query``, ``positive_passages``, ``negative_passages`` of ``{docid, title, text}``."""
    return map(_training_row, containers.rows(path, "query_id", "query", *_PASSAGES, *_DOCIDS))


def read_row(line: bytes, path: Path, number: int) -> TrainingRow:
    """A line of version 1."""
    return _training_row(Row(path, number, lines.json_object(line, path, number)))


def _training_row(row: Row) -> TrainingRow:
    _check_version(row, "positive_passages", "positive_document_ids", "tevatron-ids")
    query_id, query = row.identifier("query_id"), row.text("query")
    passages: dict[str, tuple[str | None, str]] = {}
    positives = _take_passages(row, "positive_passages", passages)
    negatives = _take_passages(row, "negative_passages", passages)
    return TrainingRow(row.line, query_id, query, positives, negatives, passages)


def read_plain_rows(block: bytes) -> pa.Table | None:
    """Lines of version 1 as a table, several times faster than row by row, if there is nothing unusual in any of them.

    The answer is None, so that the lines must be read one by one, where a key is missing, unknown or of another type,
    an id, a question or a text is blank, an id has white space in it, a title is nothing but white space, a docid
    stands twice in a row, a row has no passage, or a line is empty or not right.

    Returns:
        ``query_id``, ``query``, ``positive_passages``, ``negative_passages``; a title may be empty or null.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.json as pa_json

    passages_of = pa.list_(pa.struct([("docid", pa.string()), ("title", pa.string()), ("text", pa.string())]))
    lists_of = [("positive_passages", passages_of), ("negative_passages", passages_of)]
    plain = pa.schema([("query_id", pa.string()), ("query", pa.string()), *lists_of])
    try:
        table = pa_json.read_json(
            pa.BufferReader(block),
            pa_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            pa_json.ParseOptions(explicit_schema=plain, unexpected_field_behavior="error"),
        ).combine_chunks()
        table.validate(full=True)  # that strings are UTF-8
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    if table.num_rows != block.count(b"\n") + (not block.endswith(b"\n")) or any(
        column.null_count for column in table.columns
    ):
        return None
    passages = [table[name].chunk(0) for name in _PASSAGES]
    listed = pa.concat_arrays([lists.flatten() for lists in passages])
    docids, titles, texts = listed.flatten()
    if (
        any(map(_blanks, (table["query_id"], table["query"], docids, texts)))
        or pc.any(pc.utf8_is_space(titles)).as_py()
        or any(pc.any(pc.match_substring_regex(ids, _SPACE)).as_py() for ids in (table["query_id"], docids))
    ):
        return None
    rows = np.concatenate([np.repeat(np.arange(len(lists)), lists.value_lengths()) for lists in passages])
    codes = docids.dictionary_encode()
    pairs = np.sort(rows * len(codes.dictionary) + codes.indices.to_numpy())
    if (pairs[1:] == pairs[:-1]).any() or len(np.unique(rows)) < table.num_rows:
        return None
    return table


def read_id_rows(path: Path) -> Iterator[TrainingRow]:
    """Version 2: ``query_id``, ``query_text``, ``positive_document_ids`` and ``negative_document_ids``."""
    for row in containers.rows(path, "query_id", "query_text", *_DOCIDS, *_PASSAGES):
        _check_version(row, "positive_document_ids", "positive_passages", "tevatron")
        query_id, text = row.identifier("query_id"), row.text("query_text")
        positives, negatives = row.identifiers("positive_document_ids"), row.identifiers("negative_document_ids")
        yield TrainingRow(row.line, query_id, text, positives, negatives, {})


def read_judgements(path: Path) -> Iterator[Judgement]:
    """The positives of rows of either version, each with grade 1 and once a question."""
    for row in containers.rows(path, "query_id", "positive_document_ids", "positive_passages"):
        query_id = row.identifier("query_id")
        if "positive_document_ids" in row.values:
            docids = row.identifiers("positive_document_ids")
        else:
            docids = _take_passages(row, "positive_passages", {})
        for docid in dict.fromkeys(docids):
            yield Judgement(row.line, query_id, docid, 1)


def _take_passages(row: Row, key: str, passages: dict[str, tuple[str | None, str]]) -> list[str]:
    """The docids under ``key``, in order; adds titles and texts to ``passages``, where the first of a docid stays."""
    docids = []
    for item in row.objects(key):
        docid, title, text = _plain(item.values) or item.passage("docid")
        passages.setdefault(docid, (title, text))
        docids.append(docid)
    return docids


def _blanks(column: pa.Array | pa.ChunkedArray) -> bool:
    """Whether a value is null, empty or nothing but white space."""
    import pyarrow.compute as pc

    empty = pc.equal(pc.binary_length(column), 0)
    return bool(column.null_count or pc.any(empty).as_py() or pc.any(pc.utf8_is_space(column)).as_py())


def _plain(item: Any) -> tuple[str, str | None, str] | None:
    """What ``Row.passage`` returns for a passage with nothing unusual, several times faster; else None."""
    try:
        docid, title, text = item["docid"], item.get("title"), item["text"]
        if not is_id(docid) or text.isspace() or (title is not None and title.isspace()) or not text:
            return None
        return docid, title or None, text
    except (AttributeError, KeyError, TypeError):
        return None


def _check_version(row: Row, due: str, other: str, other_format: str) -> None:
    if due not in row.values and other in row.values:
        raise row.error(
            f"this row has `{other}` and no `{due}`: it is of the other Tevatron version.",
            f"set the pool's source.format to {other_format}.",
        )
