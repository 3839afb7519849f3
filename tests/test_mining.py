"""Hard negatives from runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.contracts import QRELS, QUERIES, RUN
from utility_annotation.errors import InputError
from utility_annotation.mining import _interleaved, mine


def _write(
    folder: Path, qrels: list[tuple[str, str, int]], *runs: list[tuple[str, str, int]]
) -> tuple[Path, Path, list[Path]]:
    QUERIES.write(
        folder / "queries.parquet", QUERIES.rows([{"query_id": q, "text": f"text of {q}"} for q in ("a", "b")])
    )
    QRELS.write(
        folder / "qrels.parquet",
        QRELS.table(dict(zip(("query_id", "docid", "grade"), zip(*qrels, strict=True), strict=True))),
    )
    paths = []
    for number, run in enumerate(runs):
        rows = [{"query_id": q, "docid": d, "rank": rank, "score": -float(rank)} for q, d, rank in run]
        paths.append(folder / f"{number}.parquet")
        RUN.write(paths[-1], RUN.rows(rows))
    return folder / "queries.parquet", folder / "qrels.parquet", paths


def _mined(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_negatives_are_the_best_ranked_passages_that_are_not_relevant(tmp_path: Path) -> None:
    queries, qrels, runs = _write(
        tmp_path,
        [("a", "good", 1), ("a", "bad", 0)],
        [("a", "x", 2), ("a", "good", 1), ("a", "bad", 3), ("a", "y", 4)],
        [("a", "y", 1), ("a", "z", 2)],
    )
    assert mine(queries, qrels, runs, 4, tmp_path / "rows.jsonl") == 1
    assert _mined(tmp_path / "rows.jsonl") == [
        {
            "query_id": "a",
            "query_text": "text of a",
            "positive_document_ids": ["good"],
            "negative_document_ids": ["y", "x", "z"],
        }
    ]


def test_a_split_without_a_relevant_passage_is_refused(tmp_path: Path) -> None:
    queries, qrels, runs = _write(tmp_path, [("a", "x", 0)], [("a", "x", 1)])
    with pytest.raises(InputError, match="no question has a relevant passage"):
        mine(queries, qrels, runs, 4, tmp_path / "rows.jsonl")
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_question_that_no_retriever_searched_is_refused(tmp_path: Path) -> None:
    queries, qrels, runs = _write(tmp_path, [("a", "x", 1), ("b", "x", 1)], [("a", "y", 1)])
    with pytest.raises(InputError, match="no retriever has a passage for query 'b'"):
        mine(queries, qrels, runs, 4, tmp_path / "rows.jsonl")
    assert not (tmp_path / "rows.jsonl").exists()


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), min_size=1, max_size=4))
def test_interleaving_keeps_every_passage_once_and_each_rankings_first_near_the_top(rankings: list[list[str]]) -> None:
    merged = list(_interleaved(rankings))
    assert sorted(merged) == sorted(set().union(*rankings))
    for ranking in rankings:
        if ranking:
            assert merged.index(ranking[0]) < len(rankings)
