"""The stages that grade passages: what they ask, and what they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.annotation.grades import GRADES, GradeLikelihood, Grading, grading_stage, read_grade
from utility_annotation.annotation.items import Item, Passage
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.engines.protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest
from utility_annotation.settings import Annotator

ITEM = Item("q", "who?", (Passage("a", "one"), Passage("b", "two"), Passage("c", "three")), answer="me")
PROMPTS = ("umbrela", "utilgrade")


@pytest.fixture
def template(root: Path) -> Callable[[str], PromptTemplate]:
    return lambda name: PromptTemplate(root / "resources" / "prompts" / f"{name}.j2", PromptSanitizer([]))


def said(text: str, finish_reason: str = "stop") -> Completion:
    return Completion(text, finish_reason, 1, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ("Grade: 2", 2),
        ("**Grade:** 3\n", 3),
        ("It tells who.\nGrade: 1", 1),
        ("##final score: 0", 0),
        ("My final grade is 2.", 2),
        ("Grade: 2/3", 2),
        ("2", 2),
        ("Grade: 1\nGrade: 1", 1),
        ("```\nGrade：1\n```", 1),
        ("<think>Grade: 0</think>Grade: 3", 3),
        ("Grade: 4", None),
        ("Grade: 10", None),
        ("Grade: -1", None),
        ("Grade: N", None),
        ("Grade: 1\nGrade: 2", None),
        ("The passage deserves a 2 because of 3 facts.", None),
        ("I counted.\n2", None),
        ("", None),
    ],
)
def test_a_grade_is_read_from_its_line_alone(reply: str, grade: int | None) -> None:
    assert read_grade(said(reply)) == grade


def test_the_last_line_of_a_reply_that_was_cut_off_is_not_read() -> None:
    assert read_grade(said("Grade: 1", "length")) is None
    assert read_grade(said("Grade: 1\nBecause", "length")) == 1


@given(st.text())
def test_any_reply_is_a_grade_of_the_scale_or_none(text: str) -> None:
    assert read_grade(said(text)) in (None, *GRADES)


@pytest.mark.parametrize("name", PROMPTS)
def test_each_passage_is_asked_about_alone(template: Callable[[str], PromptTemplate], name: str) -> None:
    stage = Grading(Annotator(model="m", engine="vllm", structured_outputs=True), template(name), needs_answer=True)
    requests = stage.requests(ITEM)
    assert isinstance(requests, list)
    for passage, request in zip(ITEM.passages, requests, strict=True):
        assert isinstance(request, ReplyRequest)
        assert f"Passage: {passage.text}" in request.chat[-1].content
        assert request.guide == "Grade: [0-3]"
    assert ("Answer: me" in requests[0].chat[-1].content) == (name == "utilgrade")


def test_a_row_has_a_grade_per_passage_and_null_where_none_could_be_read(
    template: Callable[[str], PromptTemplate],
) -> None:
    stage = Grading(Annotator(model="m"), template("umbrela"), needs_answer=False)
    results = [said("Grade: 3"), said("no idea"), said("Grade: 0")]
    assert stage.unreadable(ITEM, results) == [1]
    row = stage.row(ITEM, results)
    assert (row["outcome"], row["replies"]) == ("ok", ["Grade: 3", "no idea", "Grade: 0"])
    assert [(each["docid"], each["score"]) for each in row["scores"]] == [("a", 3), ("b", None), ("c", 0)]


@pytest.mark.parametrize(("finish_reason", "outcome"), [("stop", "unparsable"), ("length", "truncated")])
def test_a_row_without_any_grade_says_why(
    template: Callable[[str], PromptTemplate], finish_reason: str, outcome: str
) -> None:
    stage = Grading(Annotator(model="m"), template("umbrela"), needs_answer=False)
    row = stage.row(ITEM, [said("no idea", finish_reason)] * 3)
    assert (row["outcome"], row["scores"]) == (outcome, None)


def test_a_small_model_gives_the_likeliest_grade(template: Callable[[str], PromptTemplate]) -> None:
    stage = grading_stage(Annotator(model="m", protocol="pointwise"), template("umbrela"), needs_answer=False)
    assert isinstance(stage, GradeLikelihood)
    requests = stage.requests(ITEM)
    assert isinstance(requests, list)
    assert [each.text for each in requests if isinstance(each, Continuation)] == [
        f"Grade: {n}" for n in (0, 1, 2, 3)
    ] * 3
    means = [-4.0, -3.0, -1.0, -2.0, *(-1.0, -1.0, -1.0, -1.0), *(-9.0, -8.0, -7.0, -6.0)]
    row = stage.row(ITEM, [LogLikelihood(mean * 2, 2, 10) for mean in means])
    assert row["scores"] == [{"docid": "a", "score": 2}, {"docid": "b", "score": 0}, {"docid": "c", "score": 3}]


@pytest.mark.parametrize("protocol", ["listwise", "pointwise"])
def test_utility_needs_an_answer(template: Callable[[str], PromptTemplate], protocol: str) -> None:
    annotator = Annotator.model_validate({"model": "m", "protocol": protocol})
    stage = grading_stage(annotator, template("utilgrade"), needs_answer=True)
    assert isinstance(stage.requests(replace(ITEM, answer=" ")), Failure)
