"""Tevatron's training rows, versions 1 and 2."""

from __future__ import annotations

from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import tevatron

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
ID = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"]), min_size=1)
PASSAGES = st.lists(st.fixed_dictionaries({"docid": ID, "title": st.none() | TEXT, "text": TEXT}), max_size=4)


def write(path: Path, *rows: object) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


@settings(max_examples=50)
@given(query_id=ID, query=TEXT, positives=PASSAGES, negatives=PASSAGES)
def test_version_1_round_trip(query_id, query, positives, negatives, tmp_path_factory) -> None:
    path = write(
        tmp_path_factory.mktemp("tevatron") / "a.jsonl",
        {"query_id": query_id, "query": query, "positive_passages": positives, "negative_passages": negatives},
    )
    (row,) = tevatron.read_rows(path)
    assert row[:3] == (1, query_id, query)
    assert row.positives == [passage["docid"] for passage in positives]
    assert row.negatives == [passage["docid"] for passage in negatives]
    first = {passage["docid"]: (passage["title"], passage["text"]) for passage in reversed(positives + negatives)}
    assert row.passages == first


@settings(max_examples=50)
@given(query_id=ID, query=TEXT, positives=st.lists(ID), negatives=st.lists(ID))
def test_version_2_round_trip(query_id, query, positives, negatives, tmp_path_factory) -> None:
    path = write(
        tmp_path_factory.mktemp("tevatron") / "a.jsonl",
        {
            "query_id": query_id,
            "query_text": query,
            "positive_document_ids": positives,
            "negative_document_ids": negatives,
        },
    )
    assert list(tevatron.read_id_rows(path)) == [(1, query_id, query, positives, negatives, {})]


def test_real_rows(shared_data: Path) -> None:
    rows = list(tevatron.read_rows(shared_data / "llm-relabel-rlhn" / "msmarco_passage.stage_1.gpt-4o-mini.jsonl"))
    assert [(len(row.positives), len(row.negatives)) for row in rows] == [(1, 25)] * 25
    assert rows[0].query == "statutory tax rate"
    assert {title for row in rows for title, _ in row.passages.values()} == {None}


def test_rows_of_another_layout_are_explained(shared_data: Path) -> None:
    with pytest.raises(InputError, match=r"msmarco\.jsonl, line 1: `query_id` is missing"):
        list(tevatron.read_rows(shared_data / "bge-train-sample" / "msmarco.jsonl"))


GOOD = {"docid": "1", "title": "t", "text": "x"}


@pytest.mark.parametrize(
    ("passage", "problem"),
    [
        ({"docid": "1"}, "`text` is missing"),
        ({**GOOD, "text": 3}, "`text` is int"),
        ({**GOOD, "docid": ""}, "`docid` is empty"),
        ({**GOOD, "title": 0}, "`title` is int"),
        ({"text": "x"}, "`docid` is missing"),
        ("x", "`negative_passages` is missing or no list of objects"),
    ],
)
def test_bad_passages(tmp_path: Path, passage: object, problem: str) -> None:
    row = {"query_id": "1", "query": "q", "positive_passages": [GOOD], "negative_passages": [passage]}
    path = write(tmp_path / "a.jsonl", {**row, "negative_passages": []}, row)
    with pytest.raises(InputError, match=rf"a\.jsonl, line 2: {problem}.* Fix: "):
        list(tevatron.read_rows(path))


def test_the_other_version_is_named(tmp_path: Path) -> None:
    one = {"query_id": "1", "query": "q", "positive_passages": [GOOD], "negative_passages": []}
    two = {"query_id": "1", "query_text": "q", "positive_document_ids": ["1"], "negative_document_ids": []}
    with pytest.raises(InputError, match=r"source\.format to tevatron-ids"):
        list(tevatron.read_rows(write(tmp_path / "two.jsonl", two)))
    with pytest.raises(InputError, match=r"source\.format to tevatron\."):
        list(tevatron.read_id_rows(write(tmp_path / "one.jsonl", one)))


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(ID, st.lists(ID), st.booleans())))
def test_positives_as_judgements(rows: list[tuple[str, list[str], bool]], tmp_path_factory) -> None:
    """Rows of both versions, even side by side: each positive once a question, with grade 1."""
    path = write(
        tmp_path_factory.mktemp("tevatron") / "a.jsonl",
        *(
            {"query_id": query_id, "positive_document_ids": docids, "negative_document_ids": ["n"]}
            if ids_only
            else {"query_id": query_id, "positive_passages": [{**GOOD, "docid": docid} for docid in docids]}
            for query_id, docids, ids_only in rows
        ),
    )
    assert list(tevatron.read_judgements(path)) == [
        (number, query_id, docid, 1)
        for number, (query_id, docids, _) in enumerate(rows, 1)
        for docid in dict.fromkeys(docids)
    ]


def test_rows_without_positives_are_refused_as_judgements(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"query_id": "1", "positive_passages": []}, {"query_id": "2"})
    with pytest.raises(InputError, match=r"a\.jsonl, line 2: `positive_passages` is missing"):
        list(tevatron.read_judgements(path))


def test_parquet_has_the_same_rows(tmp_path: Path) -> None:
    passage = {"docid": "1", "title": "", "text": "x"}
    other = {"docid": "2", "title": "T", "text": "y"}
    carrying = {"query_id": "a", "query": "q", "positive_passages": [passage], "negative_passages": [other]}
    naming = {"query_id": "a", "query_text": "q", "positive_document_ids": ["1"], "negative_document_ids": ["2"]}
    pq.write_table(pa.Table.from_pylist([carrying]), tmp_path / "1.parquet")
    pq.write_table(pa.Table.from_pylist([naming]), tmp_path / "2.parquet")
    assert list(tevatron.read_rows(tmp_path / "1.parquet")) == list(
        tevatron.read_rows(write(tmp_path / "1.jsonl", carrying))
    )
    assert list(tevatron.read_id_rows(tmp_path / "2.parquet")) == [(1, "a", "q", ["1"], ["2"], {})]
    for name in ("1.parquet", "2.parquet"):
        assert list(tevatron.read_judgements(tmp_path / name)) == [(1, "a", "1", 1)]
    with pytest.raises(InputError, match="it is of the other Tevatron version"):
        list(tevatron.read_rows(tmp_path / "2.parquet"))
