"""The writers of :data:`~.forms.FORMS`: one function per format, which fills a folder.

All formats but TREC and BEIR hold training examples, and leave out a query without a positive. pyarrow is imported only
for the format that needs it, so that planning does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ..common.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from .examples import Example, Examples, ExportedPassage

TRAIN = "train.jsonl"

_ROWS = 10_000
"""Rows per row group of parquet."""


def tevatron(examples: Examples, folder: Path) -> None:
    """Rows with the passages in them."""
    with _jsonl(folder / TRAIN) as write:
        for example in _trainable(examples):
            write(
                {
                    "query_id": example.query_id,
                    "query": example.query,
                    "positive_passages": list(map(_tevatron_passage, example.positives)),
                    "negative_passages": list(map(_tevatron_passage, example.negatives)),
                }
            )


def _tevatron_passage(passage: ExportedPassage) -> dict[str, str]:
    return {"docid": passage.docid, "title": passage.title or "", "text": passage.text}


def tevatron_ids(examples: Examples, folder: Path) -> None:
    """Rows of ids, and a corpus whose texts include their titles, since that version reads no title."""
    with _jsonl(folder / TRAIN) as write:
        for example in _trainable(examples):
            write(
                {
                    "query_id": example.query_id,
                    "query_text": example.query,
                    "positive_document_ids": [passage.docid for passage in example.positives],
                    "negative_document_ids": [passage.docid for passage in example.negatives],
                }
            )
    with _jsonl(folder / "corpus.jsonl") as write:
        for passage in _passages(_trainable(examples)):
            write({"docid": passage.docid, "text": passage.full_text})


def sentence_transformers(examples: Examples, folder: Path) -> None:
    """A row per positive: anchor, positive, and as many negatives as every query has, at most five."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    negatives = min(5, min((len(example.negatives) for example in _trainable(examples)), default=0))
    columns = ["anchor", "positive", *(f"negative_{number + 1}" for number in range(negatives))]
    schema = pa.schema([pa.field(column, pa.string(), nullable=False) for column in columns])
    with pq.ParquetWriter(folder / "train.parquet", schema, compression="zstd") as writer:
        rows: list[list[str]] = []
        for example in _trainable(examples):
            others = [passage.full_text for passage in example.negatives[:negatives]]
            rows += ([example.query, positive.full_text, *others] for positive in example.positives)
            if len(rows) >= _ROWS:
                writer.write_table(_table(rows, schema))
                rows = []
        writer.write_table(_table(rows, schema))


def _table(rows: list[list[str]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    return pa.table([[row[column] for row in rows] for column in range(len(schema))], schema=schema)


def flag_embedding(examples: Examples, folder: Path) -> None:
    """Rows of texts."""
    with _jsonl(folder / TRAIN) as write:
        for example in _trainable(examples):
            write(
                {
                    "query": example.query,
                    "pos": [passage.full_text for passage in example.positives],
                    "neg": [passage.full_text for passage in example.negatives],
                }
            )


def beir(examples: Examples, folder: Path) -> None:
    """Corpus (the pool's passages), queries, and the positives as qrels."""
    with _jsonl(folder / "corpus.jsonl") as write:
        for passage in _passages(examples):
            write({"_id": passage.docid, "title": passage.title or "", "text": passage.text})
    with _jsonl(folder / "queries.jsonl") as write:
        for example in examples:
            write({"_id": example.query_id, "text": example.query})
    (folder / "qrels").mkdir()
    with (folder / "qrels" / "train.tsv").open("w", encoding="utf-8") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        for example in examples:
            file.writelines(
                f"{_column(example.query_id)}\t{_column(passage.docid)}\t1\n" for passage in example.positives
            )


def trec(examples: Examples, folder: Path) -> None:
    """Qrels with every judged candidate, and the topics."""
    with (folder / "qrels.txt").open("w", encoding="utf-8") as file:
        for example in examples:
            query_id = _column(example.query_id)
            for grade, passages in ((1, example.positives), (0, example.negatives)):
                file.writelines(f"{query_id} 0 {_column(passage.docid)} {grade}\n" for passage in passages)
    with (folder / "topics.tsv").open("w", encoding="utf-8") as file:
        file.writelines(f"{_column(example.query_id)}\t{' '.join(example.query.split())}\n" for example in examples)


def _column(identifier: str) -> str:
    """An id as a column of a text file.

    Raises:
        InputError: it has white space in it.
    """
    if identifier.split() != [identifier]:
        raise InputError(
            f"the id {identifier!r} has white space in it, which this format cannot hold.",
            hint="export another format: JSON lines can hold any id.",
        )
    return identifier


def _trainable(examples: Iterable[Example]) -> Iterator[Example]:
    return (example for example in examples if example.positives)


def _passages(examples: Iterable[Example]) -> Iterator[ExportedPassage]:
    """Every passage once, in order of first appearance."""
    seen: set[str] = set()
    for example in examples:
        for passage in (*example.positives, *example.negatives):
            if passage.docid not in seen:
                seen.add(passage.docid)
                yield passage


@contextmanager
def _jsonl(path: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Writes one JSON object per line."""
    with path.open("wb") as file:

        def write(row: Mapping[str, Any]) -> None:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

        yield write
