"""JSON lines with the schemas' names."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import jsonl

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
ID = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"]), min_size=1)


def write(folder: Path, *rows: object) -> Path:
    path = folder / "a.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(ID, st.none() | TEXT, TEXT)))
def test_passages_round_trip(rows: list[tuple[str, str | None, str]], tmp_path_factory) -> None:
    path = write(
        tmp_path_factory.mktemp("jsonl"),
        *({"docid": docid, "title": title, "text": text} for docid, title, text in rows),
    )
    assert [row[1:] for row in jsonl.read_passages(path)] == rows


@pytest.mark.parametrize("title", [{}, {"title": None}, {"title": ""}, {"title": "  "}])
def test_an_absent_title_stays_absent(tmp_path: Path, title: dict) -> None:
    (passage,) = jsonl.read_passages(write(tmp_path, {"docid": "1", "text": "x", **title}))
    assert passage.title is None


@pytest.mark.parametrize("title", ["-", "None", "0"])
def test_any_other_title_stays_as_it_is(tmp_path: Path, title: str) -> None:
    (passage,) = jsonl.read_passages(write(tmp_path, {"docid": "1", "text": "x", "title": title}))
    assert passage.title == title


def test_a_title_without_text_is_a_passage(tmp_path: Path) -> None:
    (passage,) = jsonl.read_passages(write(tmp_path, {"docid": "1", "title": "Only a title", "text": ""}))
    assert passage[1:] == ("1", "Only a title", "")


def test_whole_numbers_become_ids(tmp_path: Path) -> None:
    (judgement,) = jsonl.read_judgements(write(tmp_path, {"query_id": 7, "docid": 8, "grade": 2}))
    assert judgement == (1, "7", "8", 2)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"query_id": "1", "answers": "Paris"}, "`answers` is str 'Paris', not a list"),
        ({"query_id": "1", "answers": [""]}, "`answers` is empty"),
        ({"query_id": "1", "answers": [3]}, "not a string"),
        ({"query_id": "1"}, "`answers` is missing"),
        ({"query_id": True, "answers": []}, "`query_id` is bool"),
        ({"query_id": 1.5, "answers": []}, "`query_id` is float"),
        ({"answers": []}, "`query_id` is missing"),
    ],
)
def test_bad_answers(tmp_path: Path, row: dict, problem: str) -> None:
    with pytest.raises(InputError, match=rf"a\.jsonl, line 1: .*{problem}"):
        list(jsonl.read_answers(write(tmp_path, row)))


@pytest.mark.parametrize("grade", [2, 2.0, "2", "2.0", "2."])
def test_a_whole_number_is_a_grade_however_it_is_written(tmp_path: Path, grade: object) -> None:
    (judgement,) = jsonl.read_judgements(write(tmp_path, {"query_id": "1", "docid": "2", "grade": grade}))
    assert judgement.grade == 2
    assert type(judgement.grade) is int


@pytest.mark.parametrize("grade", ["x", 0.5, "0.5", "1e3", True, None, "1_0", "٣", 2**31, 1e30, "--1", "."])
def test_bad_grades(tmp_path: Path, grade: object) -> None:
    with pytest.raises(InputError, match=r"a\.jsonl, line 1: `grade` is .*not an integer"):
        list(jsonl.read_judgements(write(tmp_path, {"query_id": "1", "docid": "2", "grade": grade})))


def test_a_folder_or_a_pattern_is_read_file_by_file(tmp_path: Path) -> None:
    write(tmp_path, {"docid": "1", "text": "x"}, {"docid": "2", "text": "x"})
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"docid": "3", "text": "x"}\n'))
    (tmp_path / "._a.jsonl").write_bytes(b"\0\5\26\7")
    for path in (tmp_path, tmp_path / "*.jsonl*"):
        assert [(row.line, row.docid) for row in jsonl.read_passages(path)] == [(1, "1"), (2, "2"), (3, "3")]
    (tmp_path / "b.jsonl.gz").write_bytes(b'{"docid": "3"}\n')
    with pytest.raises(InputError, match=r"b\.jsonl\.gz, line 1: `text` is missing"):
        list(jsonl.read_passages(tmp_path))


def test_null_answers_are_none(tmp_path: Path) -> None:
    path = write(tmp_path, {"query_id": "1", "answers": None}, {"query_id": "2", "answers": ["a"]})
    assert [row.answers for row in jsonl.read_answers(path)] == [[], ["a"]]


def test_an_answer_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, {"query_id": "1", "answers": ["a", 1]})
    with pytest.raises(InputError, match=r"`answers` has int '1' in it, not a string.*as a list of strings"):
        list(jsonl.read_answers(path))
