"""The stages over real files and a real engine: what each shows the model, and what its rows mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.annotation.answers import AnswerStage
from utility_annotation.annotation.items import (
    Item,
    Passage,
    keep_relevant,
    read_items,
    read_pool,
    with_answers,
    with_truth,
)
from utility_annotation.annotation.listwise import Listwise
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.annotation.relevance import QuestionLikelihood
from utility_annotation.annotation.replies import RANKING, SELECTION
from utility_annotation.annotation.replug import ReplugStage
from utility_annotation.annotation.utility import Utility, selection_stage
from utility_annotation.annotation.votes import shown_order
from utility_annotation.common.errors import InputError
from utility_annotation.engines.protocol import Completion, Failure, LogLikelihood
from utility_annotation.io.schemas import ANNOTATION, ANSWERS, POOL
from utility_annotation.settings import Annotator, Pointwise

ITEM = Item("q", "who?", (Passage("a", "one"), Passage("b", "two"), Passage("c", "three")), answer="me")


@pytest.fixture
def template(root: Path):
    return lambda name: PromptTemplate(root / "resources" / "prompts" / f"{name}.j2", PromptSanitizer([]))


def pool_file(path: Path, queries: int) -> Path:
    rows = [
        {
            "query_id": f"q{number}",
            "query": f"question {number}?",
            "candidates": [
                {
                    "docid": f"d{number}{letter}",
                    "title": title,
                    "text": f"text {letter} {number}",
                    "human": letter == "a",
                    "rank": rank,
                }
                for rank, (letter, title) in enumerate((("a", "Title"), ("b", None), ("c", ""), ("d", None)), start=1)
            ],
        }
        for number in range(queries)
    ]
    POOL.write(path, POOL.rows(rows))
    return path


def annotation_row(query_id: str, outcome: str = "ok", **columns: object) -> dict[str, object]:
    row = {"query_id": query_id, "outcome": outcome, "whole_pool": False, "replies": [], "attempts": 1}
    return row | {"prompt_tokens": 1, "completion_tokens": 1} | columns


def annotation_file(path: Path, rows: list[dict[str, object]]) -> Path:
    ANNOTATION.write(path, ANNOTATION.rows(rows))
    return path


def said(text: str, finish_reason: str = "stop") -> list[Completion]:
    return [Completion(text, finish_reason, 1, 1)]


def scored(*means: float) -> list[LogLikelihood]:
    return [LogLikelihood(mean * 2, 2, 10) for mean in means]


def test_missing_title_is_not_a_word(tmp_path: Path) -> None:
    (item,) = read_pool(pool_file(tmp_path / "pool.parquet", 1))
    assert [passage.text for passage in item.passages] == ["Title text a 0", "text b 0", "text c 0", "text d 0"]


def test_titles_can_be_left_out(tmp_path: Path) -> None:
    (item,) = read_items(pool_file(tmp_path / "pool.parquet", 1), {}, titles=False)
    assert [passage.text for passage in item.passages] == ["text a 0", "text b 0", "text c 0", "text d 0"]


def test_passages_are_cut_to_words_and_questions_and_answers_are_not() -> None:
    passages = (Passage("a", "one  two\nthree\x00four"), Passage("b", "one two"))
    cut = Item("q", "a long question", passages, answer="a long answer").cut(2)
    assert [passage.text for passage in cut.passages] == ["one two", "one two"]
    assert (cut.query, cut.answer, cut.longest()) == ("a long question", "a long answer", 2)


def test_listwise_numbers_become_docids_in_reply_order(annotator: Annotator, template) -> None:
    stage = Listwise(annotator, template("relsel"), SELECTION)
    row = stage.row(ITEM, said("My selection:[[3],[0],[-1],[99],[1]]"))
    assert (row["outcome"], row["docids"]) == ("ok", ["c", "a"])


@pytest.mark.parametrize(
    ("text", "finish_reason", "outcome", "docids"),
    [
        ("My selection:[]", "stop", "empty", []),
        ("All of them.", "stop", "unparsable", None),
        ("My selection:[[1", "length", "truncated", None),
    ],
)
def test_nothing_selected_is_told_apart_from_nothing_read(
    annotator: Annotator, template, text: str, finish_reason: str, outcome: str, docids: list[str] | None
) -> None:
    row = Listwise(annotator, template("relsel"), SELECTION).row(ITEM, said(text, finish_reason))
    assert (row["outcome"], row["docids"], row["replies"]) == (outcome, docids, [text])


def test_thinking_is_never_parsed(annotator: Annotator, template) -> None:
    thinker = annotator.model_copy(update={"thinking": True})
    stage = Listwise(thinker, template("relsel"), SELECTION)
    assert stage.row(ITEM, said("My selection:[[1]]</think>My selection:[[2]]"))["docids"] == ["b"]
    assert stage.row(ITEM, said("My selection:[[1]]", "length"))["outcome"] == "truncated"


@pytest.mark.parametrize(
    ("text", "docids", "named"),
    [("[3] > [2] > [1]", ["c", "b", "a"], 3), ("[3] > [1]", ["c", "a", "b"], 2), ("All.", None, None)],
)
def test_ranking_is_completed_in_the_pools_order_and_says_so(
    annotator: Annotator, template, text: str, docids: list[str] | None, named: int | None
) -> None:
    row = Listwise(annotator, template("utilrank"), RANKING).row(ITEM, said(text))
    assert (row["docids"], row["named"]) == (docids, named)


def test_what_no_permutation_names_follows_in_the_pools_order(annotator: Annotator, template) -> None:
    """Passages a to f are shown in several orders, and each reply puts f before e."""
    item = replace(ITEM, passages=tuple(Passage(docid, docid) for docid in "abcdef"))
    stage = Listwise(annotator.model_copy(update={"permutations": 3}), template("utilrank"), RANKING)
    orders = [[passage.docid for passage in shown_order("q", number, item.passages)] for number in range(3)]
    replies = [said(f"[{order.index('f') + 1}] > [{order.index('e') + 1}]")[0] for order in orders]
    row = stage.row(item, replies)
    assert (row["docids"], row["named"]) == ([*"feabcd"], 2)


def test_a_selection_names_no_ranking(annotator: Annotator, template) -> None:
    assert Listwise(annotator, template("relsel"), SELECTION).row(ITEM, said("My selection:[[3]]"))["named"] is None


def test_pseudo_answer_sees_the_relevant_passages_only(annotator: Annotator, template, tmp_path: Path) -> None:
    items = read_pool(pool_file(tmp_path / "pool.parquet", 1))
    relsel = annotation_file(tmp_path / "relsel.parquet", [annotation_row("q0", docids=["d0d", "d0b"])])
    (item,) = keep_relevant(items, relsel)
    (request,) = AnswerStage(annotator, template("answer")).requests(item)
    last = request.chat[-1]
    assert "text b 0\ntext d 0\n" in last.content
    assert "text a" not in last.content
    assert "text c" not in last.content
    assert item.whole_pool is False


@pytest.mark.parametrize(
    ("outcome", "docids"), [("empty", []), ("unparsable", None), ("truncated", None), ("error", None)]
)
def test_relevance_without_a_selection_falls_back_to_the_whole_pool(
    tmp_path: Path, outcome: str, docids: list[str] | None
) -> None:
    items = read_pool(pool_file(tmp_path / "pool.parquet", 1))
    relsel = annotation_file(tmp_path / "relsel.parquet", [annotation_row("q0", outcome, docids=docids)])
    (item,) = keep_relevant(items, relsel)
    assert item.whole_pool is True
    assert len(item.passages) == 4


def test_selection_of_an_unknown_passage_is_refused(tmp_path: Path) -> None:
    items = read_pool(pool_file(tmp_path / "pool.parquet", 1))
    relsel = annotation_file(tmp_path / "relsel.parquet", [annotation_row("q0", docids=["elsewhere"])])
    with pytest.raises(InputError, match=r"relsel\.parquet.*'q0'"):
        list(keep_relevant(items, relsel))


@pytest.mark.parametrize("scored", ["abc", "abcde"])
def test_scores_of_another_pool_are_refused(tmp_path: Path, scored: str) -> None:
    items = read_pool(pool_file(tmp_path / "pool.parquet", 1))
    pool = [passage.docid for passage in items[0].passages]
    scores = [{"docid": pool[place] if place < 4 else "elsewhere", "score": -1.0} for place in range(len(scored))]
    relsel = annotation_file(tmp_path / "relsel.parquet", [annotation_row("q0", docids=pool[:1], scores=scores)])
    with pytest.raises(InputError, match=r"relsel\.parquet.*'q0'"):
        list(keep_relevant(items, relsel))


def test_former_stage_of_another_pool_is_refused(tmp_path: Path) -> None:
    items = read_pool(pool_file(tmp_path / "pool.parquet", 1))
    other = annotation_file(tmp_path / "other.parquet", [annotation_row("q7", docids=[])])
    with pytest.raises(InputError, match="no row for query 'q0'"):
        list(keep_relevant(items, other))
    with pytest.raises(InputError, match="no row for query 'q0'"):
        list(with_answers(items, other))


@pytest.mark.parametrize(
    ("text", "finish_reason", "outcome", "answer"),
    [
        (" It is me. ", "stop", "ok", "It is me."),
        (" ", "stop", "empty", None),
        ("It is", "length", "truncated", "It is"),
    ],
)
def test_answer_rows(
    annotator: Annotator, template, text: str, finish_reason: str, outcome: str, answer: str | None
) -> None:
    row = AnswerStage(annotator, template("answer")).row(ITEM, said(text, finish_reason))
    assert (row["outcome"], row["answer"]) == (outcome, answer)


def test_endless_thought_is_no_answer(annotator: Annotator, template) -> None:
    stage = AnswerStage(annotator.model_copy(update={"thinking": True}), template("answer"))
    row = stage.row(ITEM, said("It may be me", "length"))
    assert (row["outcome"], row["answer"]) == ("truncated", None)


@pytest.mark.parametrize("answer", [None, " ", "\x00"])
def test_utility_without_an_answer_is_an_error(annotator: Annotator, template, answer: str | None) -> None:
    item = replace(ITEM, answer=answer)
    assert isinstance(selection_stage(annotator, template("utilsel")).requests(item), Failure)
    assert isinstance(Utility(template("pointwise_answer"), Pointwise(), select=True).requests(item), Failure)


@pytest.mark.parametrize(("percent", "kept"), [(50, ["c"]), (67, ["c", "a"]), (1, ["c"]), (100, ["c", "a", "b"])])
def test_pointwise_relevance_keeps_a_share_best_first_and_at_least_one(
    template, percent: float, kept: list[str]
) -> None:
    row = QuestionLikelihood(percent, template("pointwise_relevance")).row(ITEM, scored(-2, -3, -1))
    assert row["docids"] == kept
    assert row["scores"] == [{"docid": d, "score": s} for d, s in (("a", -2), ("b", -3), ("c", -1))]


def utility(template, item: Item, *means: float, select: bool = True, **settings: float) -> dict[str, Any]:
    """The row of a pointwise stage, of the answer's likelihoods without a passage and with each."""
    stage = Utility(template("pointwise_answer"), Pointwise.model_validate(settings), select=select)
    return stage.row(item, scored(*means))


def test_pointwise_utility_is_the_gain_over_no_passage(template) -> None:
    row = utility(template, ITEM, -2, -1.5, -2, -1, gain_weight=1, margin=0.5)
    assert (row["outcome"], row["docids"]) == ("ok", ["c", "a"])
    assert [score["score"] for score in row["scores"]] == [0.5, 0, 1]


def test_the_questions_likelihood_counts_where_the_relevance_selection_gives_it(template) -> None:
    item = replace(ITEM, relevance={"a": -3, "b": -1, "c": -2})
    row = utility(template, item, -2, -1, -2, -1, gain_weight=0.25, margin=0)
    assert [score["score"] for score in row["scores"]] == [-2.75, -1, -1.75]
    assert row["docids"] == ["b"]


def test_the_best_passage_is_selected_even_if_none_helps_the_answer(template) -> None:
    row = utility(template, ITEM, -1, -1.5, -2, -1.25, gain_weight=1, margin=0)
    assert (row["outcome"], row["docids"]) == ("ok", ["c"])


def test_pointwise_ranking_orders_all_by_utility_and_ties_by_place(template) -> None:
    row = utility(template, ITEM, -1, -3, -2, -3, select=False, gain_weight=1, margin=0)
    assert (row["outcome"], row["docids"]) == ("ok", ["b", "a", "c"])


@pytest.mark.parametrize(("number", "shown"), [(1, ["three"]), (2, ["one", "three"]), (9, ["one", "two", "three"])])
def test_a_pointwise_answer_is_written_from_the_most_relevant_passages(
    annotator: Annotator, template, number: int, shown: list[str]
) -> None:
    pointwise = {"protocol": "pointwise", "pointwise": Pointwise(answer_passages=number)}
    item = replace(ITEM, relevance={"a": -2, "b": -3, "c": -1})
    (request,) = AnswerStage(annotator.model_copy(update=pointwise), template("pointwise_answer")).requests(item)
    assert [text for text in ("one", "two", "three") if text in request.chat[-1].content] == shown


def test_gain_compares_the_same_answer_with_one_passage_and_with_none(template) -> None:
    without, *given = Utility(template("pointwise_answer"), Pointwise(), select=True).requests(ITEM)
    assert {request.text for request in (without, *given)} == {"me"}
    assert "one" not in without.context[-1].content
    assert ["one" in request.context[-1].content for request in given] == [True, False, False]


def test_replug_scores_are_sums_over_the_first_listed_answer(template, tmp_path: Path) -> None:
    truth = tmp_path / "truth.parquet"
    ANSWERS.write(truth, ANSWERS.rows([{"query_id": "q", "answers": ["first", "second"]}]))
    (item,) = with_truth([ITEM], truth)
    stage = ReplugStage(template("replug"))
    assert [request.text for request in stage.requests(item)] == ["first"] * 3
    assert [score["score"] for score in stage.row(item, scored(-2, -3, -1))["scores"]] == [-4, -6, -2]


def test_utility_given_the_truth_shows_the_first_listed_answer_and_the_whole_pool(
    annotator: Annotator, template, tmp_path: Path
) -> None:
    """A question that MS MARCO calls unanswerable has no truth."""
    truth = tmp_path / "truth.parquet"
    answers = {"q0": ["first", "second"], "q1": ["No Answer Present."]}
    ANSWERS.write(truth, ANSWERS.rows([{"query_id": key, "answers": texts} for key, texts in answers.items()]))
    answered, *others = with_truth(read_pool(pool_file(tmp_path / "pool.parquet", 3)), truth)
    stage = selection_stage(annotator, template("utilsel"))
    (request,) = stage.requests(answered)
    assert "Reference answer: first" in request.chat[-1].content
    assert [message.content for message in request.chat if message.content.startswith("[")] == [
        "[1] Title text a 0",
        "[2] text b 0",
        "[3] text c 0",
        "[4] text d 0",
    ]
    assert stage.row(answered, said("My selection:[[4]]"))["docids"] == ["d0d"]
    assert all(isinstance(stage.requests(item), Failure) for item in others)
