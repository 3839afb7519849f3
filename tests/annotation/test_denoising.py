"""The stages that look for false negatives: what they ask, what they read, and what becomes of each candidate."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.annotation.denoising import (
    AnswerRanking,
    Relabelling,
    RelabellingLikelihood,
    Snippets,
    read_snippet,
    relabelling_stage,
)
from utility_annotation.annotation.items import Item, Passage, with_results
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.annotation.replies import read_verdict, verdict_guide
from utility_annotation.common.errors import InputError
from utility_annotation.engines.protocol import Completion, Failure, LogLikelihood
from utility_annotation.io.schemas import ANNOTATION
from utility_annotation.settings import Annotator

ITEM = Item(
    "q",
    "who sails?",
    (
        Passage("a", "The cook."),
        Passage("h", "The captain sails.", True),
        Passage("b", "A sailor sails."),
        Passage("c", ""),
    ),
)


@pytest.fixture
def template(root: Path) -> Callable[[str], PromptTemplate]:
    return lambda name: PromptTemplate(root / "resources" / "prompts" / f"{name}.j2", PromptSanitizer([]))


def said(text: str, finish_reason: str = "stop") -> Completion:
    return Completion(text, finish_reason, 1, 1)  # type: ignore[arg-type]


def scores(row: object) -> dict[str, float | None]:
    assert isinstance(row, dict)
    return {each["docid"]: each["score"] for each in row["scores"]}


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Better: [[1],[3]]\nWorse: [[2]]", ((1, 3), (2,))),
        ("**Better:** [1, 3]\n**Worse:** []", ((1, 3), ())),
        ("I compared them.\nBetter: []\nWorse: []\nThat is all.", ((), ())),
        ("Better: [[1]]\nWorse: [[1],[2]]", ((1,), (2,))),
        ("Better: [[1],[9]]\nWorse: []", ((1,), ())),
        ("Better: [[9]]\nWorse: []", None),
        ("Better: [[1]]", None),
        ("Better: [[1]]\nBetter: [[2]]\nWorse: []", None),
        ("Better: passage 1\nWorse: []", None),
        ("<better> As good: [Doc (2)] </better>,\n<worse> Less: [Doc (1), Doc (3)]\n</worse>", ((2,), (1, 3))),
        ("<better> As good: [] </better>", None),
        ("", None),
    ],
)
def test_a_verdict_is_two_lists(reply: str, verdict: tuple[tuple[int, ...], tuple[int, ...]] | None) -> None:
    assert read_verdict(said(reply), 3) == verdict
    assert read_verdict(said(reply, "length"), 3) is None


@given(better=st.sets(st.integers(1, 9)), worse=st.sets(st.integers(1, 9)))
def test_what_the_guide_admits_is_read(better: set[int], worse: set[int]) -> None:
    import re

    lists = ["[" + ",".join(f"[{number}]" for number in sorted(numbers)) + "]" for numbers in (better, worse)]
    reply = f"Better: {lists[0]}\nWorse: {lists[1]}"
    assert re.fullmatch(verdict_guide(9), reply)
    assert read_verdict(said(reply), 9) == (tuple(sorted(better)), tuple(sorted(worse - better)))


@pytest.mark.parametrize(
    ("name", "queries", "better", "worse"),
    [
        ("fiqa.stage_1.gpt-4o-mini", 25, 5, 50),
        ("fiqa.stage_2.gpt-4o", 17, 2, 21),
        ("msmarco_passage.stage_1.gpt-4o-mini", 25, 7, 88),
    ],
)
def test_the_published_replies_of_rlhn_are_read(
    shared_data: Path, name: str, queries: int, better: int, worse: int
) -> None:
    rows = [json.loads(line) for line in (shared_data / "llm-relabel-rlhn" / f"{name}.jsonl").read_text().splitlines()]
    found = [read_verdict(said(row["response"]), len(row["negative_passages"])) for row in rows]
    verdicts = [each for each in found if each is not None]
    assert len(verdicts) == len(rows) == queries
    assert sum(len(numbers) for numbers, _ in verdicts) == better
    assert sum(len(numbers) for _, numbers in verdicts) == worse


def test_relabelling_shows_the_human_positives_apart(template: Callable[[str], PromptTemplate]) -> None:
    stage = Relabelling(Annotator(model="m"), template("rlhn"))
    requests = stage.requests(ITEM)
    assert isinstance(requests, list)
    (request,) = requests
    shown = "\n".join(message.content for message in request.chat)
    assert "Relevant: The captain sails." in shown
    assert "[1] The cook." in shown
    assert "[2] A sailor sails." in shown
    assert "] The captain sails." not in shown


def test_better_is_positive_and_worse_is_doubtful(template: Callable[[str], PromptTemplate]) -> None:
    stage = Relabelling(Annotator(model="m"), template("rlhn"))
    row = stage.row(ITEM, [said("Better: [[2]]\nWorse: [[1]]")])
    assert row["outcome"] == "ok"
    assert scores(row) == {"a": None, "h": 1, "b": 1, "c": 0}


@pytest.mark.parametrize(("finish_reason", "outcome"), [("stop", "unparsable"), ("length", "truncated")])
def test_a_reply_without_a_verdict_says_why(
    template: Callable[[str], PromptTemplate], finish_reason: str, outcome: str
) -> None:
    stage = Relabelling(Annotator(model="m"), template("rlhn"))
    results = [said("Better: all", finish_reason)]
    assert stage.row(ITEM, results)["outcome"] == outcome
    assert stage.unreadable(ITEM, results) == ([0] if outcome == "unparsable" else [])


def test_a_question_of_positives_alone_is_not_asked_about(template: Callable[[str], PromptTemplate]) -> None:
    stage = Relabelling(Annotator(model="m"), template("rlhn"))
    item = replace(ITEM, passages=ITEM.passages[1:2])
    assert stage.requests(item) == []
    assert stage.unreadable(item, []) == []
    assert scores(stage.row(item, [])) == {"h": 1}


def test_a_small_model_compares_likelihoods(template: Callable[[str], PromptTemplate]) -> None:
    annotator = Annotator.model_validate({"model": "m", "protocol": "pointwise", "pointwise": {"margin": 0.5}})
    stage = relabelling_stage(annotator, template("pointwise_relevance"))
    assert isinstance(stage, RelabellingLikelihood)
    row = stage.row(ITEM, [LogLikelihood(mean * 2, 2, 10) for mean in (-1.4, -1.0, -0.9, -1.6)])
    assert scores(row) == {"a": None, "h": 1, "b": 1, "c": 0}


@pytest.mark.parametrize("name", ["rlhn", "arhn", "likelihood"])
def test_a_human_positive_is_needed(template: Callable[[str], PromptTemplate], name: str) -> None:
    annotator = Annotator(model="m")
    stages = {
        "rlhn": Relabelling(annotator, template("rlhn")),
        "arhn": AnswerRanking(annotator, template("arhn")),
        "likelihood": RelabellingLikelihood(0.5, template("pointwise_relevance")),
    }
    without = tuple(passage for passage in ITEM.passages if not passage.human)
    assert isinstance(stages[name].requests(replace(ITEM, passages=without)), Failure)
    assert not isinstance(stages[name].requests(ITEM), Failure)


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Answer: A sailor", 1.0),
        ("**Answer:** “a  SAILOR sails.”", 1.0),
        ("Answer: none", 0.0),
        ("Answer: None.", 0.0),
        ("Answer: the captain", None),
        ("Answer:", None),
        ("A sailor", None),
        ("Answer: A sailor\nAnswer: none", None),
    ],
)
def test_a_snippet_stands_in_its_passage(reply: str, found: float | None) -> None:
    assert read_snippet(said(reply), "A sailor sails.") == found


def test_the_last_line_of_a_snippet_that_was_cut_off_is_not_read() -> None:
    assert read_snippet(said("Answer: A sailor", "length"), "A sailor sails.") is None
    assert read_snippet(said("Answer: A sailor\nThe pas", "length"), "A sailor sails.") == 1


def test_snippets_are_scores_that_do_not_narrow(tmp_path: Path, template: Callable[[str], PromptTemplate]) -> None:
    stage = Snippets(Annotator(model="m"), template("snippet"))
    requests = stage.requests(ITEM)
    assert len(requests) == len(ITEM.passages)
    results = [said("Answer: none"), said("Answer: the captain"), said("perhaps"), said("Answer: none")]
    assert stage.unreadable(ITEM, results) == [2]
    row = stage.row(ITEM, results)
    assert scores(row) == {"a": 0, "h": 1, "b": None, "c": 0}
    counts = {"query_id": "q", "whole_pool": False, "attempts": 4, "prompt_tokens": 1, "completion_tokens": 1}
    ANNOTATION.write(tmp_path / "snippet.parquet", ANNOTATION.rows([counts | row]))
    (item,) = with_results([ITEM], {"snippet": tmp_path / "snippet.parquet"})
    assert item.passages == ITEM.passages
    assert item.scores == {"a": 0, "h": 1, "b": None, "c": 0}
    with pytest.raises(InputError, match="no row for query 'other'"):
        with_results([replace(ITEM, query_id="other")], {"snippet": tmp_path / "snippet.parquet"})


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("[3] > [2] > [1] > [4]", {"a": None, "h": 1, "b": 1, "c": 0}),
        ("[2] > [3] > [1] > [4]", {"a": None, "h": 1, "b": None, "c": 0}),
        ("[4] > [1] > [3] > [2]", {"a": 1, "h": 1, "b": 1, "c": 1}),
        ("[1] > [3]", {"a": None, "h": 1, "b": None, "c": 0}),
    ],
)
def test_what_stands_before_the_positive_is_positive_and_other_snippets_are_doubtful(
    template: Callable[[str], PromptTemplate], reply: str, expected: dict[str, float | None]
) -> None:
    stage = AnswerRanking(Annotator(model="m"), template("arhn"))
    item = replace(ITEM, scores={"a": 1.0, "h": 1.0, "b": None, "c": 0.0})
    row = stage.row(item, [said(reply)])
    assert scores(row) == expected
    assert row["docids"]


def test_a_ranking_that_cannot_be_read_gives_no_verdict(template: Callable[[str], PromptTemplate]) -> None:
    row = AnswerRanking(Annotator(model="m"), template("arhn")).row(ITEM, [said("no idea")])
    assert row["outcome"] == "unparsable"
    assert "scores" not in row
