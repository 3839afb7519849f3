"""MuSiQue's JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import musique


def paragraph(idx: int, title: str, supporting: bool) -> dict[str, Any]:
    return {"idx": idx, "title": title, "paragraph_text": f"about {title}", "is_supporting": supporting}


def row(query_id: str, *paragraphs: dict[str, Any], **other: Any) -> dict[str, Any]:
    own = {"question": f"{query_id}?", "question_decomposition": [], "answer": "a", "answer_aliases": []}
    return {"id": query_id, "paragraphs": list(paragraphs), **own, "answerable": True} | other


A, B, C = paragraph(0, "A", True), paragraph(1, "B", False), paragraph(2, "C", True)
ROWS = (
    row("2hop__1_2", A, B, C, answer_aliases=["a'", "a", ""]),
    row("2hop__1_2", B, paragraph(1, "D", False), answerable=False),
    row("3hop1__1_2_3", paragraph(0, "A", False), paragraph(1, "B", True)),
)


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in rows))
    return path


def write_parquet(path: Path, *rows: dict[str, Any]) -> Path:
    pq.write_table(pa.Table.from_pylist([{**each, "question_decomposition": None} for each in rows]), path)
    return path


@pytest.mark.parametrize("writer", [write, write_parquet])
def test_supports_are_judgements_and_a_row_that_is_not_answerable_gives_its_passages_alone(
    tmp_path: Path, writer
) -> None:
    path = writer(tmp_path / "musique", *ROWS)
    passages = {passage.title: passage for passage in musique.read_passages(path)}
    assert {title: passage.text for title, passage in passages.items()} == {name: f"about {name}" for name in "ABCD"}
    assert [tuple(query) for query in musique.read_queries(path)] == [
        (1, "2hop__1_2", "2hop__1_2?"),
        (3, "3hop1__1_2_3", "3hop1__1_2_3?"),
    ]
    assert [(each.query_id, each.docid, each.grade) for each in musique.read_judgements(path)] == [
        ("2hop__1_2", passages["A"].docid, 1),
        ("2hop__1_2", passages["C"].docid, 1),
        ("3hop1__1_2_3", passages["B"].docid, 1),
    ]
    assert [answers.answers for answers in musique.read_answers(path)] == [["a", "a'"], ["a"]]


def test_a_test_set_without_answers_and_supports_has_passages_and_questions(tmp_path: Path) -> None:
    bare = {"idx": 0, "title": "A", "paragraph_text": "about A"}
    path = write(tmp_path / "a.jsonl", {"id": "q", "question": "q?", "paragraphs": [bare]})
    assert [passage.title for passage in musique.read_passages(path)] == ["A"]
    assert [query.query_id for query in musique.read_queries(path)] == ["q"]
    with pytest.raises(InputError, match=r"line 1: `is_supporting` is missing"):
        list(musique.read_judgements(path))
    with pytest.raises(InputError, match=r"line 1: `answer` is missing"):
        list(musique.read_answers(path))


@pytest.mark.parametrize(
    ("paragraphs", "problem"),
    [
        ("A", "`paragraphs` is missing or no list of objects"),
        ([{"title": "A", "is_supporting": True}], "`paragraph_text` is missing"),
        ([A, A | {"is_supporting": "no"}], "`is_supporting` is str 'no', not true or false"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, paragraphs: object, problem: str) -> None:
    path = write(tmp_path / "a.jsonl", ROWS[0], ROWS[0] | {"paragraphs": paragraphs})
    with pytest.raises(InputError, match=rf"a\.jsonl, line 2: {problem}.* Fix: "):
        list(musique.read_judgements(path))
