"""The stage that writes questions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from utility_annotation.annotation.items import Item, Passage
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.annotation.questions import QuestionStage, Written, read_written
from utility_annotation.annotation.stages import QUESTION, STAGES
from utility_annotation.engines.protocol import Completion
from utility_annotation.settings import Annotator

ITEM = Item("d1", "", (Passage("d1", "Guide The ship sails at noon."),))


@pytest.mark.parametrize(
    ("reply", "written"),
    [
        ("Question: When?\nAnswer: At noon.", ("When?", "At noon.")),
        ("Here it is:\n**Question:** When  is it?\n\n**Answer**: At noon.\nBye", ("When is it?", "At noon.")),
        ("- question： 何時？\n- answer： 正午。", ("何時？", "正午。")),
        ("Question: One?\nAnswer: 1\nQuestion: Two?\nAnswer: 2", ("One?", "1")),
        ("Question: ...\nAnswer: ...\nQuestion: When?\nAnswer: Noon", ("When?", "Noon")),
        ("Answer: first\nQuestion: When?", None),
        ("Question: When?", None),
        ("Question:\nAnswer: noon", None),
        ("My question: when? Answer: noon", None),
        ("", None),
    ],
)
def test_a_reply_is_read_by_its_lines(reply: str, written: tuple[str, str] | None) -> None:
    assert read_written(reply) == written


def test_what_was_written_comes_back_from_its_column() -> None:
    assert Written.of(Written("When?", "At noon.").text) == ("When?", "At noon.")


@pytest.fixture(params=[name for name in STAGES if name.startswith(QUESTION)])
def stage(request: pytest.FixtureRequest, root: Path) -> QuestionStage:
    template = PromptTemplate(
        root / "resources" / "prompts" / STAGES[request.param].listwise.template, PromptSanitizer(["<|im_end|>"])
    )
    return QuestionStage(Annotator(model="m"), template)


def test_each_style_asks_about_the_passage(stage: QuestionStage) -> None:
    (request,) = stage.requests(ITEM)
    asked = request.chat[-1].content
    assert "Guide The ship sails at noon." in asked
    assert asked.endswith("Question: ...\nAnswer: ...")


def test_examples_are_shown_where_there_are_some(stage: QuestionStage) -> None:
    (request,) = stage.requests(replace(ITEM, query="who sails? | when does it leave?"))
    assert "who sails? | when does it leave?" in request.chat[-1].content
    assert "really asked" not in stage.requests(ITEM)[0].chat[-1].content


@pytest.mark.parametrize(
    ("text", "finish_reason", "outcome", "answer"),
    [
        ("Question: When?\nAnswer: At noon.", "stop", "ok", "When?\nAt noon."),
        ("I cannot do that.", "stop", "unparsable", None),
        ("Question: When?\nAnswer: At no", "length", "truncated", None),
    ],
)
def test_a_row_has_the_question_or_says_why_not(
    stage: QuestionStage, text: str, finish_reason: str, outcome: str, answer: str | None
) -> None:
    results = [Completion(text, finish_reason, 9, 9)]  # type: ignore[arg-type]
    row = stage.row(ITEM, results)
    assert (row["outcome"], row["answer"], row["replies"]) == (outcome, answer, [text])
    assert stage.unreadable(ITEM, results) == ([0] if outcome == "unparsable" else [])
