"""Ids that TREC's files cannot hold, in the readers of every format, and rows without ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import (
    beir,
    dpr,
    hotpotqa,
    jsonl,
    msmarco,
    msmarco_qa,
    read_judgements,
    read_passages,
    read_queries,
    tevatron,
)
from utility_annotation.settings import Source

BAD = "a b"
PASSAGE = {"docid": BAD, "title": "", "text": "x"}
READERS: list[tuple[Callable[[Path], Iterator[object]], str, int]] = [
    (msmarco.read_passages, f"1\tx\n{BAD}\ty\n", 2),
    (msmarco.read_queries, f"1\tx\n{BAD}\ty\n", 2),
    (beir.read_passages, json.dumps({"_id": BAD, "text": "x"}), 1),
    (beir.read_queries, json.dumps({"_id": BAD, "text": "x"}), 1),
    (beir.read_judgements, f"query-id\tcorpus-id\tscore\n1\t{BAD}\t1\n", 2),
    (beir.read_judgements, f"query-id\tcorpus-id\tscore\n{BAD}\t1\t1\n", 2),
    (jsonl.read_passages, json.dumps({"docid": BAD, "text": "x"}), 1),
    (jsonl.read_queries, json.dumps({"query_id": BAD, "text": "x"}), 1),
    (jsonl.read_judgements, json.dumps({"query_id": "1", "docid": "a\u00a0b", "grade": 1}), 1),
    (jsonl.read_answers, json.dumps({"query_id": "a\u2028b", "answers": ["x"]}), 1),
    (dpr.read_passages, f"id\ttext\ttitle\n{BAD}\tx\ty\n", 2),
    (dpr.read_judgements, json.dumps([{"positive_ctxs": [{"passage_id": BAD}]}]), 1),
    (hotpotqa.read_queries, json.dumps([{"_id": BAD, "question": "x"}]), 1),
    (msmarco_qa.read_queries, json.dumps({"query_id": {"0": BAD}, "query": {"0": "x"}}), 1),
    (
        tevatron.read_rows,
        json.dumps({"query_id": "1", "query": "x", "positive_passages": [PASSAGE], "negative_passages": []}),
        1,
    ),
    (
        tevatron.read_id_rows,
        json.dumps({"query_id": "1", "query_text": "x", "positive_document_ids": [BAD], "negative_document_ids": []}),
        1,
    ),
]


@pytest.mark.parametrize(("read", "content", "number"), READERS)
def test_an_id_with_white_space_is_refused_with_its_line(
    tmp_path: Path, read: Callable[[Path], Iterator[object]], content: str, number: int
) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(InputError, match=rf"file, (line|item) {number}: .*'a\S*.*b' has white space in it.* Fix: "):
        list(read(tmp_path / "file"))


@pytest.mark.parametrize(
    ("form", "content", "numbers"),
    [
        ("jsonl", '{"text": "one"}\n\n{"text": "two", "title": "T"}\n', ["1", "3"]),
        ("json", '[{"text": "one"},\n\n{"text": "two", "title": "T"}]', ["1", "2"]),
        ("csv", 'title,text\n,one\nT,"two"\n', ["2", "3"]),
        ("parquet", "", ["1", "2"]),
    ],
)
def test_a_row_without_an_id_is_named_by_its_line(tmp_path: Path, form: str, content: str, numbers: list[str]) -> None:
    (tmp_path / "file").write_text(content)
    if form == "parquet":
        pq.write_table(pa.table({"title": [None, "T"], "text": ["one", "two"]}), tmp_path / "file")
    source = Source(format=form, path=str(tmp_path / "file"), ids="line")
    assert [row[1:] for row in read_passages(source)] == [(numbers[0], None, "one"), (numbers[1], "T", "two")]
    assert [row[1:] for row in read_queries(source)] == [(numbers[0], "one"), (numbers[1], "two")]
    with pytest.raises(InputError, match="`ids: line` is for passages and queries"):
        list(read_judgements(source))
    with pytest.raises(InputError, match="docid"):
        list(read_passages(source.model_copy(update={"ids": "file"})))
