"""DPR's passages and training JSON."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import dpr

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
ID = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"]), min_size=1)
CELL = st.text('ab"\t \n\r\u2028é', min_size=1).filter(str.strip)
HEADER = b"id\ttext\ttitle\n"


def tsv(rows: list[tuple[str, str, str]], quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    """What Python's own csv module writes, quoted as DPR's file is."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t", quoting=quoting).writerows([("id", "text", "title"), *rows])  # type: ignore[arg-type]
    return text.getvalue().encode()


@settings(max_examples=100)
@given(
    rows=st.lists(st.tuples(st.text('ab"é', min_size=1), CELL, CELL)),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_passages_round_trip(rows: list[tuple[str, str, str]], quoting: int, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("dpr") / "psgs_w100.tsv.gz"
    path.write_bytes(gzip.compress(tsv(rows, quoting), 1))
    assert [(row.docid, row.text, row.title) for row in dpr.read_passages(path)] == rows


def test_passages_as_they_are_published(tmp_path: Path) -> None:
    path = tmp_path / "psgs_w100.tsv"
    path.write_bytes(HEADER + b'1\t"Aaron ( or ; ""Ahar\xc3\xb4n"") is a prophet"\tAaron\n2\tplain\t"""Heroes"""\n')
    assert list(dpr.read_passages(path)) == [
        (2, "1", "Aaron", 'Aaron ( or ; "Aharôn") is a prophet'),
        (3, "2", '"Heroes"', "plain"),
    ]


BAD = [
    (b"1\ttext\ttitle\n", 1, "not the header line"),
    (HEADER + b"1\ta\tb\n2\tc\n", 3, "2 columns where 3 are due"),
    (HEADER + b'1\t"a\nb"\tt\n\t"c"\tt\n', 4, "`id` is empty"),
    (HEADER + b'1\t"a" b\tt\n', 2, "the quoting of this record is broken"),
    (HEADER + b'1\ta\tt\n2\t"b\tt\n3\tc\tt\n', 3, "the quoting of this record is broken"),
    (HEADER + b"1\ta\xff\tt\n", 2, "byte 0xff at position 4"),
]


@pytest.mark.parametrize(("content", "line", "problem"), BAD)
def test_bad_passages(tmp_path: Path, content: bytes, line: int, problem: str) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.tsv, line {line}: .*{problem}.* Fix: "):
        list(dpr.read_passages(tmp_path / "a.tsv"))


def context(docid: object, name: str = "passage_id") -> dict:
    return {"title": "t", "text": "x", "score": 1000, "title_score": 1, name: docid}


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(TEXT, st.lists(TEXT), st.lists(ID))), name=st.sampled_from(["passage_id", "psg_id"]))
def test_training_round_trip(rows: list[tuple[str, list[str], list[str]]], name: str, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("dpr") / "biencoder.json"
    path.write_bytes(
        orjson.dumps(
            [
                {
                    "question": question,
                    "answers": answers,
                    "positive_ctxs": [context(docid, name) for docid in docids],
                    "hard_negative_ctxs": [context("no positive", name)],
                }
                for question, answers, docids in rows
            ]
        )
    )
    assert list(dpr.read_queries(path)) == [(n, str(n), row[0]) for n, row in enumerate(rows, 1)]
    assert list(dpr.read_answers(path)) == [(n, str(n), row[1]) for n, row in enumerate(rows, 1)]
    assert list(dpr.read_judgements(path)) == [
        (n, str(n), docid, 1) for n, row in enumerate(rows, 1) for docid in dict.fromkeys(row[2])
    ]


@pytest.mark.parametrize(
    ("positives", "problem"),
    [
        (None, "`positive_ctxs` is missing or no list of objects"),
        (["1"], "`positive_ctxs` is missing or no list of objects"),
        ([{"title": "t", "text": "x"}], "`passage_id` is missing"),
        ([context("")], "`passage_id` is empty"),
        ([context(None, "psg_id")], "`psg_id` is missing"),
    ],
)
def test_bad_positives(tmp_path: Path, positives: object, problem: str) -> None:
    rows = [{"question": "q", "positive_ctxs": [context("1")]}, {"question": "q", "positive_ctxs": positives}]
    (tmp_path / "a.json").write_bytes(orjson.dumps(rows))
    with pytest.raises(InputError, match=rf"a\.json, item 2: {problem}.* Fix: "):
        list(dpr.read_judgements(tmp_path / "a.json"))
