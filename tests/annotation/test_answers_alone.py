"""The stages that ask for an answer without any passage, and with each candidate alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from utility_annotation.annotation.gains import AnswersAlone
from utility_annotation.annotation.items import Item, Passage
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.engines.protocol import Completion
from utility_annotation.settings import Annotator

ITEM = Item("q", "who sails?", (Passage("a", "The cook."), Passage("b", "The captain sails.", True)))
PROMPTS = ("qa_short", "qa_sentence")


def stage(root: Path, name: str = "qa_short", **keys: Any) -> AnswersAlone:
    template = PromptTemplate(root / "resources" / "prompts" / f"{name}.j2", PromptSanitizer([]))
    return AnswersAlone(Annotator(model="m", engine="vllm", **keys), template)


def said(*texts: str, cut_off: int | None = None) -> list[Completion]:
    return [
        Completion(text, "length" if place == cut_off else "stop", prompt_tokens=1, completion_tokens=1)
        for place, text in enumerate(texts)
    ]


@pytest.mark.parametrize("name", PROMPTS)
def test_the_question_is_asked_alone_and_then_with_each_passage(root: Path, name: str) -> None:
    made = stage(root, name, answer_sampling={"max_new_tokens": 7})
    requests = made.requests(ITEM)
    shown = [[text for text in ("The cook.", "The captain sails.") if text in str(each.chat)] for each in requests]
    assert shown == [[], ["The cook."], ["The captain sails."]]
    assert {request.sampling.max_new_tokens for request in requests} == {7}


@pytest.mark.parametrize("name", PROMPTS)
def test_the_prompts_are_those_of_question_answering(root: Path, name: str) -> None:
    template = PromptTemplate(root / "resources" / "prompts" / f"{name}.j2", PromptSanitizer([]))
    asked = [template.render(query=ITEM.query, passages=texts) for texts in ([], ["The cook."], ["The captain sails."])]
    assert [request.chat for request in stage(root, name).requests(ITEM)] == asked


def test_every_answer_is_kept_without_its_thought(root: Path) -> None:
    row = stage(root, thinking=True).row(ITEM, said("<think>hm</think>", "<think>a?</think> Cook", "</think>Captain"))
    assert (row["outcome"], row["docids"], row["replies"]) == ("ok", ["a", "b"], ["", "Cook", "Captain"])


def test_an_answer_that_was_cut_off_is_kept(root: Path) -> None:
    row = stage(root).row(ITEM, said("Nobody", "The cook who", "Captain", cut_off=1))
    assert (row["outcome"], row["finish_reason"]) == ("ok", "length")
    assert row["replies"] == ["Nobody", "The cook who", "Captain"]


def test_a_passage_whose_answer_is_all_thought_is_not_listed(root: Path) -> None:
    results = said("</think>Nobody", "<think>The", "</think>Captain", cut_off=1)
    made = stage(root, thinking=True)
    row = made.row(ITEM, results)
    assert (row["outcome"], row["docids"], row["replies"]) == ("ok", ["b"], ["Nobody", "Captain", ""])
    assert made.unreadable(ITEM, results) == []  # a retry would be cut off as well


@pytest.mark.parametrize(
    ("replies", "cut_off", "again", "outcome"),
    [
        (("Hm", "</think>Cook", "</think>Captain"), None, [0], "unparsable"),
        (("</think>Nobody", "Hm", "Hm"), None, [1, 2], "unparsable"),
        (("<think>Hm", "</think>Cook", "</think>Captain"), 0, [], "truncated"),
    ],
)
def test_nothing_can_be_compared_without_both_kinds_of_answers(
    root: Path, replies: tuple[str, ...], cut_off: int | None, again: list[int], outcome: str
) -> None:
    made, results = stage(root, thinking=True), said(*replies, cut_off=cut_off)
    assert made.unreadable(ITEM, results) == again
    row = made.row(ITEM, results)
    assert (row["outcome"], row.get("docids"), row["replies"]) == (outcome, None, list(replies))
