"""Tables with a header line, and JSON lists: jsonl's keys in other clothes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import read_answers, read_judgements, read_passages, read_queries
from utility_annotation.settings import Source

CELL = st.text('ab",;\t \n\r\u2028é', min_size=1).filter(str.strip)


def source(path: Path, content: str, form: str = "csv", **columns: str) -> Source:
    path.write_bytes(content.encode())
    return Source(format=form, path=str(path), columns=columns)


@settings(max_examples=100)
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1), delimiter=st.sampled_from("\t,;"))
def test_what_pythons_csv_writes_is_read(rows: list[tuple[str, str]], delimiter: str, tmp_path_factory) -> None:
    table = io.StringIO(newline="")
    written = [("docid", "title", "text"), *((f"d{number}", *row) for number, row in enumerate(rows))]
    csv.writer(table, delimiter=delimiter).writerows(written)
    found = read_passages(source(tmp_path_factory.mktemp("csv") / "a.csv", table.getvalue()))
    assert [row[1:] for row in found] == written[1:]


def test_columns_have_names_of_their_own_and_others_are_ignored(tmp_path: Path) -> None:
    table = "\ufeffqid\tlanguage\tquestion\r\nq1\ten\tit's \"so\", isn't it?\r\n\r\nq2\ten\twhy; and how?\r\n"
    assert list(read_queries(source(tmp_path / "a.tsv", table, query_id="qid", text="question"))) == [
        (2, "q1", "it's \"so\", isn't it?"),
        (4, "q2", "why; and how?"),
    ]


def test_judgements_and_a_long_text(tmp_path: Path) -> None:
    judged = source(tmp_path / "a.csv", "query_id,docid,grade\n1,a,1\n1,b,2.0\n")
    assert [row[1:] for row in read_judgements(judged)] == [("1", "a", 1), ("1", "b", 2)]
    long = "word " * 100_000
    (passage,) = read_passages(source(tmp_path / "b.csv", f"docid,text\n1,{long}\n"))
    assert passage.text == long


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("id,text\n1,x\n", r"line 2: `docid` is missing; the row has id, text\. Fix: .*csv.*`columns`"),
        ("docid,text\n1,x\n2,a,b\n", r"line 3: 3 columns where 2 are due \(docid, text\).*separated by commas"),
        ("docid,text,text\n1,x,y\n", "line 1: 'text' stands twice in the header line"),
        ('docid,text\n1,"x\n', "line 2: the quoting of this record is broken"),
        ("docid,text\n1 2,x\n", "line 2: `docid` '1 2' has white space"),
    ],
)
def test_bad_tables(tmp_path: Path, table: str, problem: str) -> None:
    with pytest.raises(InputError, match=rf"a\.csv, {problem}"):
        list(read_passages(source(tmp_path / "a.csv", table)))


def test_the_index_that_pandas_writes_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    table = ',docid,text,\n0,1,"a\n\nb",\n  \n1,2,,\n\n'
    assert list(read_passages(source(tmp_path / "a.csv", table))) == [(2, "1", None, "a\n\nb"), (6, "2", None, "")]


def test_a_json_list_has_the_keys_of_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    passages = json.dumps([{"id": 1, "body": "one"}, {"id": "b", "title": "T", "body": "two"}], indent=1)
    assert list(read_passages(source(path, passages, "json", docid="id", text="body"))) == [
        (1, "1", None, "one"),
        (2, "b", "T", "two"),
    ]
    queries = source(path, '[{"query_id": "1", "text": "why?"}]', "json")
    assert list(read_queries(queries)) == [(1, "1", "why?")]
    judged = source(path, '[{"query_id": "1", "docid": "b", "grade": 2.0}]', "json")
    assert list(read_judgements(judged)) == [(1, "1", "b", 2)]
    answered = source(path, '[{"query_id": "1", "answers": ["so"]}, {"query_id": "2"}]', "json")
    with pytest.raises(InputError, match=r"a\.json, item 2: `answers` is missing"):
        list(read_answers(answered))


@pytest.mark.parametrize("content", ['[{"docid": "1", "text": "x"}]', '[\n{"docid": "1", "text": "x"}\n]'])
def test_a_json_list_that_is_taken_for_json_lines_is_told(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match=r"line 1: .* Fix: .*format json reads a list\."):
        list(read_passages(source(tmp_path / "a.json", content, "jsonl")))
