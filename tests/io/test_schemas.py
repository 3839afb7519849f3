"""Contracts refuse what does not fit, on write and on read, and never leave half a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.io import schemas as schemas
from utility_annotation.io.schemas import (
    ANNOTATION,
    ANSWERS,
    CORPUS,
    LABELS,
    PER_QUERY,
    POOL,
    QRELS,
    QUERIES,
    RUN,
    RepeatedKey,
    iter_rows,
    passage_text,
)

ROWS = {
    CORPUS: {"docid": "d1", "title": None, "text": "x"},
    QUERIES: {"query_id": "q1", "text": "x"},
    QRELS: {"query_id": "q1", "docid": "d1", "grade": -1},
    ANSWERS: {"query_id": "q1", "answers": ["x", "y"]},
    POOL: {
        "query_id": "q1",
        "query": "x",
        "candidates": [{"docid": "d1", "title": None, "text": "x", "human": True, "rank": 1}],
    },
    ANNOTATION: {
        "query_id": "q1",
        "outcome": "ok",
        "docids": ["d1"],
        "named": None,
        "answer": None,
        "scores": [{"docid": "d1", "score": -0.5}],
        "whole_pool": False,
        "replies": [],
        "attempts": 1,
        "cut_words": None,
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "finish_reason": "stop",
    },
    LABELS: {"query_id": "q1", "docid": "d1", "label": 1.0, "rank": 1, "source": "human"},
    RUN: {"query_id": "q1", "docid": "d1", "rank": 1, "score": 0.1},
    PER_QUERY: {"query_id": "q1", "metric": "mrr@10", "value": 0.5},
}


@pytest.mark.parametrize("schema", ROWS, ids=lambda schema: schema.name)
def test_what_is_written_is_read(schema: schemas.Schema, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    schema.write(path, schema.rows([ROWS[schema]]))
    assert schema.read(path).to_pylist() == [ROWS[schema]]
    assert schema.read(path).schema == schema.schema
    assert list(iter_rows(schema, [path, path])) == [ROWS[schema]] * 2


@pytest.mark.parametrize("schema", ROWS, ids=lambda schema: schema.name)
def test_no_rows_are_a_file_too(schema: schemas.Schema, tmp_path: Path) -> None:
    schema.write(tmp_path / "a.parquet", schema.rows([]))
    assert schema.read(tmp_path / "a.parquet").num_rows == 0


def test_some_columns(tmp_path: Path) -> None:
    CORPUS.write(tmp_path / "a.parquet", CORPUS.rows([ROWS[CORPUS]]))
    assert CORPUS.read(tmp_path / "a.parquet", ["text"]).to_pydict() == {"text": ["x"]}


@pytest.mark.parametrize(
    ("schema", "row"),
    [
        (QUERIES, {"query_id": "q1", "text": None}),
        (QRELS, {"query_id": "q1", "docid": "d1"}),
        (ANNOTATION, {**ROWS[ANNOTATION], "whole_pool": None}),
    ],
)
def test_an_empty_cell_is_refused(schema: schemas.Schema, row: dict, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column \w+ of .* has 1 empty cells"):
        schema.write(tmp_path / "a.parquet", schema.rows([ROWS[schema] | {"query_id": "q0"}, row]))
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_a_version_without_a_column_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    pq.write_table(ANNOTATION.rows([ROWS[ANNOTATION]]).drop_columns("named"), path)
    with pytest.raises(InputError, match=r"of another version: it lacks columns named \(int32\)\. Fix: delete"):
        ANNOTATION.read(path, ["query_id"])


def test_an_empty_cell_within_a_candidate_is_refused(tmp_path: Path) -> None:
    row = {**ROWS[POOL], "candidates": [{"docid": "d1", "title": None, "text": None, "human": True, "rank": 1}]}
    with pytest.raises(InputError, match="'text' is declared non-nullable"):
        POOL.write(tmp_path / "a.parquet", POOL.rows([row]))
    assert list(tmp_path.iterdir()) == []


def test_another_schema_is_refused_on_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a qrels file needs columns query_id"):
        QRELS.write(tmp_path / "a.parquet", pa.table({"query_id": ["q1"], "docid": ["d1"], "grade": [1]}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("collide", [False, True])
def test_a_repeated_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collide: bool) -> None:
    if collide:  # equal hashes alone are no repetition
        monkeypatch.setattr(schemas, "row_hashes", lambda table: np.zeros(table.num_rows, np.uint64))
    row = ROWS[QRELS]
    QRELS.write(tmp_path / "good.parquet", QRELS.rows([row, {**row, "docid": "d2"}, {**row, "query_id": "q2"}]))

    def repeat() -> None:
        with QRELS.writer(tmp_path / "bad.parquet") as writer:
            writer.write_rows([row, {**row, "docid": "d2"}])
            writer.write_rows([{**row, "grade": 3}])

    with pytest.raises(RepeatedKey, match="query_id 'q1', docid 'd1' occurs 2 times") as caught:
        repeat()
    assert caught.value.key == {"query_id": "q1", "docid": "d1"}
    assert [path.name for path in tmp_path.iterdir()] == ["good.parquet"]


def test_columns_are_not_glued_together_for_uniqueness(tmp_path: Path) -> None:
    rows = [{"query_id": "1", "docid": "23", "grade": 1}, {"query_id": "12", "docid": "3", "grade": 1}]
    QRELS.write(tmp_path / "a.parquet", QRELS.rows(rows))
    assert QRELS.read(tmp_path / "a.parquet").num_rows == 2


def test_a_failure_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    QUERIES.write(path, QUERIES.rows([ROWS[QUERIES]]))

    def fail() -> None:
        with QUERIES.writer(path) as writer:
            writer.write_rows([{"query_id": "q2", "text": "y"}])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert QUERIES.read(path).to_pylist() == [ROWS[QUERIES]]
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.parquet: there is no corpus file"):
        CORPUS.read(tmp_path / "a.parquet")


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_a_broken_file_is_explained(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.parquet"
    CORPUS.write(path, CORPUS.rows([ROWS[CORPUS]]))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"a\.parquet: not a readable corpus file"):
        CORPUS.read(path)


def test_a_file_of_another_contract_is_explained(tmp_path: Path) -> None:
    QUERIES.write(tmp_path / "a.parquet", QUERIES.rows([ROWS[QUERIES]]))
    with pytest.raises(InputError, match="this is no corpus file"):
        CORPUS.read(tmp_path / "a.parquet")
    pq.write_table(pa.table({"query_id": ["q1"], "text": [3]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"text \(int64\)"):
        list(QUERIES.batches(tmp_path / "b.parquet"))


@pytest.mark.parametrize(("title", "expected"), [(None, "x"), ("", "x"), ("T", "T x")])
def test_a_missing_title_is_no_word(title: str | None, expected: str) -> None:
    assert passage_text(title, "x") == expected


def test_a_flipped_bit_is_an_error_that_names_the_file_or_changes_nothing(tmp_path: Path) -> None:
    path, damaged = tmp_path / "run.parquet", tmp_path / "damaged.parquet"
    rows = [{"query_id": f"q{n}", "docid": f"d{n}", "rank": n, "score": n / 7} for n in range(1, 300)]
    RUN.write(path, RUN.rows(rows))
    whole, content = RUN.read(path), path.read_bytes()
    noticed = silent = 0
    for place in range(0, len(content), max(1, len(content) // 400)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        damaged.write_bytes(flipped)
        try:
            silent += not RUN.read(damaged).equals(whole)
        except InputError as error:
            noticed += "damaged.parquet" in str(error)
    assert silent == 0
    assert noticed > 300


def test_damage_within_a_file_is_told_of_the_file_piece_by_piece_too(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    RUN.write(path, RUN.rows([{"query_id": f"q{n}", "docid": f"d{n}", "rank": 1, "score": 1.0} for n in range(5000)]))
    content = bytearray(path.read_bytes())
    content[200] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"run\.parquet: this run file is damaged .*regenerate"):
        list(RUN.batches(path))
