"""The study of pointwise protocols: how ways of scoring are judged, and that no collection has a part in its choice."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate

ANSWERS, ORDERS = ("half", "best", "brief", "truth"), ("answer", "answer-question-first")


@pytest.fixture
def pointwise(benchmarks: None) -> Any:
    return importlib.import_module("pointwise")


def row(relevant: str, question: list[float], gain: list[float]) -> dict[str, Any]:
    """A pool in which the question has two tokens, and each answer of two tokens the same gain."""
    passages = len(relevant)
    answers = dict.fromkeys(ANSWERS, "so")
    sums = {kind: [[2 * value - 8, 2] for value in gain] for kind in answers}
    alone = {kind: [-8, 2] for kind in answers}
    asked = [[2 * value, 2] for value in question]
    return {
        "truth": "so",
        "relevant": [mark == "+" for mark in relevant],
        "passages": ["text"] * passages,
        "bm25": list(range(1, passages + 1)),
        "minilm": list(range(passages, 0, -1)),
        "question": asked,
        "question_alone": [-10, 2],
        "search": asked,
        "both": asked,
        "answers": answers,
        **dict.fromkeys(ORDERS, sums),
        **{f"{order}_alone": alone for order in ORDERS},
        **{way: [0.0] * passages for way in ("yes", "yes-question-first")},
    }


POOL = row("+-+-", [-1, -2, -3, -4], [0, 3, 1, 0])


def test_average_precision_of_a_pool(pointwise: Any) -> None:
    assert pointwise.average_precision(POOL, [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)
    assert pointwise.average_precision(POOL, [1, 2, 3, 4]) == pytest.approx((1 / 2 + 2 / 4) / 2)


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        (("margin", 1), [0, 1]),
        (("above", -3.5), [0, 1, 2]),
        (("percent", 50), [0, 1]),
        (("above", 0), []),
    ],
)
def test_a_rule_selects_the_best(pointwise: Any, rule: tuple[str, float], chosen: list[int]) -> None:
    assert pointwise.Rule(*rule).chosen(pointwise.mean("question")(POOL)) == chosen


def test_precision_recall_and_f1_of_a_selection(pointwise: Any) -> None:
    scores = pointwise.mean("question")(POOL)
    assert pointwise.selection(POOL, scores, pointwise.Rule("margin", 2)) == pytest.approx((2 / 3, 1, 0.8))
    assert pointwise.selection(POOL, scores, pointwise.Rule("above", 0)) == (0, 0, 0)


def test_scores_are_those_of_the_parts(pointwise: Any) -> None:
    assert list(pointwise.gain("brief", "answer")(POOL)) == [0, 3, 1, 0]
    assert list(pointwise.gain("brief", "answer", summed=True)(POOL)) == [0, 6, 2, 0]
    assert list(pointwise.own_subtracted("question")(POOL)) == [4, 3, 2, 1]
    both = pointwise.plus(pointwise.mean("question"), pointwise.gain("brief", "answer"), 0.5)
    assert list(both(POOL)) == [-1, -0.5, -2.5, -4]


def test_a_collection_has_no_part_in_the_weight_that_judges_it(pointwise: Any) -> None:
    """The gain finds the positive in two collections and misleads in the third; the others' choice judges each."""
    helped, misled = row("-+", [-1, -1.5], [0, 2]), row("+-", [-1, -1.5], [0, 2])
    found = pointwise.study({"a": [helped], "b": [helped], "c": [misled]})
    family = found["families"]["question + gain, briefly, from the best, passage first"]
    weights = {name: float(left_out["weight"]) for name, left_out in family["left_out"].items()}
    assert weights["c"] >= 0.5, "a and b want the gain"
    assert family["left_out"]["c"]["first"] == 0
    assert weights["a"] == weights["b"] == min(pointwise.WEIGHTS), "one wants it and one does not: the first is taken"


@pytest.mark.parametrize(
    ("way", "name", "passage"),
    [("question", "relevance", "A passage."), ("answer", "answer", "A passage."), ("answer", "answer", "")],
)
def test_the_prompts_that_ship_are_among_those_measured(
    benchmarks: None, root: Path, way: str, name: str, passage: str
) -> None:
    prompts = importlib.import_module("pointwise_scores").PROMPTS
    template = PromptTemplate(root / "resources" / "prompts" / f"pointwise_{name}.j2", PromptSanitizer(()))
    chat = template.render(query="who?", passages=[passage] if passage else [])
    assert [(turn.role, turn.content) for turn in chat] == list(prompts[way]("who?", passage))
