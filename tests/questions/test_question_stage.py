"""The stage that writes questions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.annotation.items import Item, Passage
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.annotation.questions import QuestionStage, Written, column_of, of_column, read_written
from utility_annotation.annotation.stages import QUESTION, STAGES
from utility_annotation.engines.protocol import Completion
from utility_annotation.settings import Annotator

ITEM = Item("d1", "", (Passage("d1", "Guide The ship sails at noon."),))


WORD = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=9)
WRITTEN = st.builds(Written, WORD, WORD)


@pytest.mark.parametrize(
    ("reply", "written"),
    [
        ("Question: When?\nAnswer: At noon.", [("When?", "At noon.")]),
        ("Here it is:\n**Question:** When  is it?\n\n**Answer**: At noon.\nBye", [("When is it?", "At noon.")]),
        ("- question： 何時？\n- answer： 正午。", [("何時？", "正午。")]),
        ("1. Question: One?\nAnswer: 1\n2) Question: Two?\nAnswer: 2", [("One?", "1"), ("Two?", "2")]),
        ("Question 1: One?\nAnswer 1: 1\nQuestion 2: Two?\nAnswer 2: 2", [("One?", "1"), ("Two?", "2")]),
        ("Question: One?\nQuestion: Two?\nAnswer: 2", [("Two?", "2")]),
        ("Question: One?\nAnswer: 1\nAnswer: 2", [("One?", "1")]),
        ("Question: One?\nAnswer: 1\nQuestion: One?\nAnswer: 2", [("One?", "1")]),
        ("Question: ...\nAnswer: ...\nQuestion: When?\nAnswer: Noon", [("When?", "Noon")]),
        ("Answer: first\nQuestion: When?", []),
        ("Question: When?", []),
        ("Question:\nAnswer: noon", []),
        ("My question: when? Answer: noon", []),
        ("", []),
    ],
)
def test_a_reply_is_read_by_its_lines(reply: str, written: list[tuple[str, str]]) -> None:
    assert read_written(reply, 9) == written


@given(written=st.lists(WRITTEN, min_size=1, unique_by=lambda each: each.question), most=st.integers(1, 9))
def test_the_first_ones_come_back_and_no_half_one(written: list[Written], most: int) -> None:
    reply = "\n".join(f"Question: {question}\nAnswer: {answer}" for question, answer in written)
    assert read_written(reply, most) == written[:most]
    assert read_written(reply, most, cut_off=True) == written[:-1][:most]
    assert of_column(column_of(written)) == written


STYLES = [name for name in STAGES if name.startswith(QUESTION)]


def written_by(root: Path, style: str, protocol: Literal["listwise", "pointwise"], most: int = 1) -> QuestionStage:
    prompt = root / "resources" / "prompts" / STAGES[style].way(protocol).template
    template = PromptTemplate(prompt, PromptSanitizer(["<|im_end|>"]))
    return QuestionStage(Annotator(model="m", protocol=protocol, questions_per_passage=most), template)


@pytest.fixture(params=STYLES)
def stage(request: pytest.FixtureRequest, root: Path) -> QuestionStage:
    return written_by(root, request.param, "listwise")


@pytest.fixture
def three(stage: QuestionStage) -> QuestionStage:
    """The same style, asked for three questions."""
    return QuestionStage(Annotator(model="m", questions_per_passage=3), stage.template)


def test_each_style_asks_about_the_passage(stage: QuestionStage) -> None:
    (request,) = stage.requests(ITEM)
    asked = request.chat[-1].content
    assert "Guide The ship sails at noon." in asked
    assert asked.endswith("Question: ...\nAnswer: ...")


def test_examples_are_shown_where_there_are_some(stage: QuestionStage) -> None:
    (request,) = stage.requests(replace(ITEM, query="who sails? | when does it leave?"))
    assert "who sails? | when does it leave?" in request.chat[-1].content
    assert "really asked" not in stage.requests(ITEM)[0].chat[-1].content


def test_a_number_of_questions_is_asked_for_with_room_for_each(stage: QuestionStage, three: QuestionStage) -> None:
    (one,), (more,) = stage.requests(ITEM), three.requests(ITEM)
    assert "3 different" in more.chat[-1].content
    assert "different" not in one.chat[-1].content.partition("two different")[0]
    assert "two lines for each question, in exactly this form" in more.chat[-1].content
    assert more.sampling.max_new_tokens == 3 * one.sampling.max_new_tokens


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("most", [1, 2])
def test_a_small_model_follows_examples_of_what_is_read(root: Path, style: str, most: int) -> None:
    (request,) = written_by(root, style, "pointwise", most).requests(ITEM)
    *examples, asked = request.chat
    assert "Passage: Guide The ship sails at noon." in asked.content
    assert ("different" in asked.content.replace("two different things", "")) == (most > 1)
    assert [each.role for each in examples] == ["user", "assistant"] * 2
    assert [len(read_written(each.content, most=9)) for each in examples] == [0, most] * 2


@pytest.mark.parametrize("style", STYLES)
def test_a_small_model_is_shown_the_users_own_questions(root: Path, style: str) -> None:
    (request,) = written_by(root, style, "pointwise").requests(replace(ITEM, query="who sails?"))
    assert "who sails?" in request.chat[-1].content


@pytest.mark.parametrize(
    ("text", "finish_reason", "outcome", "answer"),
    [
        ("Question: When?\nAnswer: At noon.", "stop", "ok", "When?\nAt noon."),
        ("I cannot do that.", "stop", "unparsable", None),
        ("Question: When?\nAnswer: At no", "length", "truncated", None),
        ("Question: When?\nAnswer: At noon.\nQuestion: Whe", "length", "ok", "When?\nAt noon."),
    ],
)
def test_a_row_has_the_question_or_says_why_not(
    stage: QuestionStage, text: str, finish_reason: str, outcome: str, answer: str | None
) -> None:
    results = [Completion(text, finish_reason, 9, 9)]  # type: ignore[arg-type]
    row = stage.row(ITEM, results)
    assert (row["outcome"], row["answer"], row["replies"]) == (outcome, answer, [text])
    assert stage.unreadable(ITEM, results) == ([0] if outcome == "unparsable" else [])
