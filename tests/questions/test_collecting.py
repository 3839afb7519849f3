"""Candidates out of an LLM's replies, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json
from utility_annotation.io.formats import read_answers, read_judgements, read_queries
from utility_annotation.io.label_values import IGNORED
from utility_annotation.io.schemas import (
    ANNOTATION,
    DROPPED_QUESTIONS,
    LABELS,
    ORIGINS,
    POOL,
    READ_QUESTIONS,
    RUN,
    WRITTEN_QUESTIONS,
)
from utility_annotation.questions.collect import collect
from utility_annotation.questions.keep import Outputs, keep
from utility_annotation.questions.read import read_questions
from utility_annotation.settings import Questions, Source

PASSAGES = {f"d{number}": f"Passage number {number} tells of a ship with a name of its own." for number in range(4)}


def _pool(path: Path, passages: dict[str, str]) -> Path:
    rows = [
        {
            "query_id": docid,
            "query": "",
            "candidates": [{"docid": docid, "title": None, "text": text, "human": False, "rank": 1}],
        }
        for docid, text in passages.items()
    ]
    POOL.write(path, POOL.rows(rows))
    return path


def _replies(path: Path, written: dict[str, str | None]) -> Path:
    rows = [
        {
            "query_id": docid,
            "outcome": "ok" if text else "unparsable",
            "answer": text,
            "whole_pool": False,
            "replies": [text or "?"],
            "attempts": 1,
            "prompt_tokens": 9,
            "completion_tokens": 9,
        }
        for docid, text in written.items()
    ]
    ANNOTATION.write(path, ANNOTATION.rows(rows))
    return path


def _read(
    folder: Path, docids: Iterable[str], written: Mapping[str, Mapping[str, str | None]], origins: Path | None = None
) -> Path:
    """A shard of some passages, read."""
    name = "-".join(docids)
    pool = _pool(folder / f"{name}-pool.parquet", {docid: PASSAGES[docid] for docid in docids})
    replies = {
        style: _replies(folder / f"{name}-{style}.parquet", {docid: own[docid] for docid in docids})
        for style, own in written.items()
    }
    read_questions(pool, replies, origins, folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


@pytest.fixture
def candidates(tmp_path: Path) -> tuple[Path, Path]:
    """Two styles about four passages of two documents, in two shards."""
    natural: dict[str, str | None] = {docid: f"Which ship is told of in {docid}?\nShip {docid}." for docid in PASSAGES}
    keyword: dict[str, str | None] = {
        "d0": "ship d0 told which\nShip.",  # the words of the natural one
        "d1": "what does this text say\nShip.",
        "d2": None,
        "d3": "name d3 sea\nShip.",
    }
    rows = [
        {"docid": docid, "file": f"{number // 2}.md", "name": "", "title": "", "headings": [], "page": None}
        for number, docid in enumerate(PASSAGES)
    ]
    ORIGINS.write(tmp_path / "origins.parquet", ORIGINS.rows(rows))
    shards = [
        _read(tmp_path, docids, {"natural": natural, "keyword": keyword}, tmp_path / "origins.parquet")
        for docids in (("d0", "d1"), ("d2", "d3"))
    ]
    output, dropped = tmp_path / "candidates.parquet", tmp_path / "unfit.parquet"
    found = collect(shards, output, dropped)
    assert found.counts == {"repeated": 1, "of-the-passage": 1, "reply": 1}
    return output, dropped


def test_candidates_are_a_source_of_questions_judgements_and_answers(candidates: tuple[Path, Path]) -> None:
    source = Source(format="parquet", path=str(candidates[0]))
    questions = {row.query_id: row.text for row in read_queries(source)}
    assert questions["d3:keyword:1"] == "name d3 sea"
    assert {(row.query_id, row.docid, row.grade) for row in read_judgements(source)} == {
        (query_id, query_id.partition(":")[0], 1) for query_id in questions
    }
    assert {row.query_id: list(row.answers) for row in read_answers(source)}["d1:natural:1"] == ["Ship d1."]
    documents = {row["docid"]: row["document"] for row in WRITTEN_QUESTIONS.read(candidates[0]).to_pylist()}
    assert (documents["d1"], documents["d2"]) == ("0.md", "1.md")


def test_what_is_dropped_keeps_its_reason(candidates: tuple[Path, Path]) -> None:
    rows = DROPPED_QUESTIONS.read(candidates[1]).to_pylist()
    assert {row["query_id"]: (row["filter"], row["reason"]) for row in rows} == {
        "d0:keyword:1": ("repeated", "it asks the same as d0:natural:1"),
        "d1:keyword:1": ("of-the-passage", "it says 'this text'"),
        "d2:keyword:1": ("reply", "the reply was unparsable"),
    }


def _keep(
    folder: Path, candidates: tuple[Path, Path], run: Path | None = None, labels: Path | None = None, **settings: Any
) -> dict[str, Any]:
    outputs = Outputs(*(folder / "kept" / name for name in ("train", "held-out", "dropped", "summary.json")))
    given = Questions.model_validate({"pool": "p", "annotator": "a", **settings})
    found = keep(given, *candidates, run, labels, outputs)
    assert read_json(outputs.summary) == found
    return found


def _kept(folder: Path, name: str) -> dict[str, str]:
    rows = WRITTEN_QUESTIONS.read(folder / "kept" / name).to_pylist()
    return {row["query_id"]: row["document"] for row in rows}


def test_parts_have_no_document_in_common(tmp_path: Path, candidates: tuple[Path, Path]) -> None:
    divided = False
    for seed in range(8):
        try:
            _keep(tmp_path, candidates, held_out=50, seed=seed)
        except InputError:  # both documents are held out, or none
            continue
        train, held_out = _kept(tmp_path, "train"), _kept(tmp_path, "held-out")
        assert not set(train.values()) & set(held_out.values())
        assert len(train) + len(held_out) == 5
        divided |= bool(held_out)
    assert divided


def test_a_question_whose_search_misses_its_passage_is_dropped(tmp_path: Path, candidates: tuple[Path, Path]) -> None:
    hits = [("d0:natural:1", "d0", 2), ("d1:natural:1", "d1", 3), ("d2:natural:1", "d0", 1), ("d3:natural:1", "d3", 1)]
    rows = [{"query_id": query, "docid": docid, "rank": rank, "score": 1.0} for query, docid, rank in hits]
    RUN.write(tmp_path / "run.parquet", RUN.rows(rows))
    trip = {"testset": "t", "retriever": "bm25/bm25", "depth": 2}
    found = _keep(tmp_path, candidates, run=tmp_path / "run.parquet", held_out=0, round_trip=trip)
    assert set(_kept(tmp_path, "train")) == {"d0:natural:1", "d3:natural:1"}
    assert found["dropped"]["round-trip"] == 3
    assert {example["reason"] for example in found["examples"]["round-trip"]} == {
        "its passage is not among the first 2 of bm25/bm25"
    }


def test_a_question_that_its_passage_does_not_answer_is_dropped(tmp_path: Path, candidates: tuple[Path, Path]) -> None:
    marks = {"d0:natural:1": 1.0, "d1:natural:1": 0.0, "d2:natural:1": IGNORED, "d3:keyword:1": 1.0}
    rows = [
        {"query_id": query, "docid": query[:2], "label": label, "rank": None, "source": "s"}
        for query, label in marks.items()
    ]
    LABELS.write(tmp_path / "labels.parquet", LABELS.rows(rows))
    found = _keep(tmp_path, candidates, labels=tmp_path / "labels.parquet", held_out=0, answerable="l")
    assert set(_kept(tmp_path, "train")) == {"d0:natural:1", "d3:keyword:1"}
    assert found["dropped"] == {"repeated": 1, "of-the-passage": 1, "reply": 1, "answerable": 3}
    assert found["kept_by_style"] == {"natural": 1, "keyword": 1}


def test_nothing_left_is_an_error_that_counts(tmp_path: Path, candidates: tuple[Path, Path]) -> None:
    RUN.write(tmp_path / "run.parquet", RUN.rows([]))
    trip = {"testset": "t", "depth": 2}
    with pytest.raises(InputError, match="round-trip: 5"):
        _keep(tmp_path, candidates, run=tmp_path / "run.parquet", round_trip=trip)
    assert not (tmp_path / "kept" / "train").exists()


def test_too_few_held_out_are_an_error_before_anything_is_annotated(
    tmp_path: Path, candidates: tuple[Path, Path]
) -> None:
    with pytest.raises(InputError, match="0 of 5 questions are held out"):
        _keep(tmp_path, candidates, held_out=0.001)
    assert not (tmp_path / "kept" / "train").exists()


def test_no_candidate_is_an_error_that_counts(tmp_path: Path) -> None:
    shard = _read(tmp_path, PASSAGES, {"natural": dict.fromkeys(PASSAGES)})
    with pytest.raises(InputError, match="reply: 4"):
        collect([shard], tmp_path / "candidates.parquet", tmp_path / "unfit.parquet")
    assert not (tmp_path / "candidates.parquet").exists()


def test_each_question_of_a_reply_is_one(tmp_path: Path) -> None:
    reply = "Which ship has a name of its own?\nShip d1.\nwhat does this text say\nShip.\nwho named it?\nNobody."
    shard = _read(tmp_path, ["d1"], {"natural": {"d1": reply}})
    rows = READ_QUESTIONS.read(shard).to_pylist()
    assert [(row["query_id"], row["filter"], row["answers"]) for row in rows] == [
        ("d1:natural:1", "", ["Ship d1."]),
        ("d1:natural:2", "of-the-passage", ["Ship."]),
        ("d1:natural:3", "", ["Nobody."]),
    ]
    assert {row["document"] for row in rows} == {"d1"}


def test_replies_of_another_pool_are_refused(tmp_path: Path) -> None:
    pool = _pool(tmp_path / "pool.parquet", PASSAGES)
    replies = {"natural": _replies(tmp_path / "natural.parquet", {"other": "When?\nNow."})}
    with pytest.raises(InputError, match="has no reply"):
        read_questions(pool, replies, None, tmp_path / "read.parquet")
    assert not (tmp_path / "read.parquet").exists()
