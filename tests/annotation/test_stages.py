"""The stages over real files and a real engine: what each shows the model, and what its rows mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from utility_annotation.annotation.answers import AnswerStage
from utility_annotation.annotation.listwise import Listwise
from utility_annotation.annotation.prompts import Cleaner, PromptTemplate
from utility_annotation.annotation.protocol import Completion, Failure, LogLikelihood
from utility_annotation.annotation.relevance import QuestionLikelihood, relevance_stage
from utility_annotation.annotation.replies import read_ranking, read_selection
from utility_annotation.annotation.replug import ReplugStage, with_truth
from utility_annotation.annotation.shard import Item, Passage, annotate, keep_relevant, read_pool, with_answers
from utility_annotation.annotation.store import CompletionStore
from utility_annotation.annotation.utility import AnswerGain, selection_stage
from utility_annotation.configuration import Annotator, Sampling
from utility_annotation.contracts import ANNOTATION, ANSWERS, POOL
from utility_annotation.errors import InputError

ITEM = Item("q", "who?", (Passage("a", "one"), Passage("b", "two"), Passage("c", "three")), answer="me")


@pytest.fixture
def template(root: Path):
    return lambda name: PromptTemplate(root / "resources" / "prompts" / f"{name}.j2", Cleaner([], 300))


def pool_file(path: Path, queries: int = 3) -> Path:
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
                }
                for letter, title in (("a", "Title"), ("b", None), ("c", ""), ("d", None))
            ],
        }
        for number in range(queries)
    ]
    POOL.write(path, POOL.rows(rows))
    return path


def annotation_row(query_id: str, outcome: str = "ok", **columns: object) -> dict[str, object]:
    row = {"query_id": query_id, "outcome": outcome, "whole_pool": False, "prompt_tokens": 1, "completion_tokens": 1}
    return row | columns


def annotation_file(path: Path, rows: list[dict[str, object]]) -> Path:
    ANNOTATION.write(path, ANNOTATION.rows(rows))
    return path


def said(text: str, finish_reason: str = "stop") -> list[Completion]:
    return [Completion(text, finish_reason, 1, 1)]


def scored(*means: float) -> list[LogLikelihood]:
    return [LogLikelihood(mean * 2, 2, 10) for mean in means]


def test_missing_title_is_not_a_word(tmp_path: Path) -> None:
    item = read_pool(pool_file(tmp_path / "pool.parquet"))[0]
    assert [passage.text for passage in item.passages] == ["Title text a 0", "text b 0", "text c 0", "text d 0"]


def test_listwise_numbers_become_docids_in_reply_order(annotator: Annotator, template) -> None:
    stage = Listwise(annotator, template("relsel"), read_selection)
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
    row = Listwise(annotator, template("relsel"), read_selection).row(ITEM, said(text, finish_reason))
    assert (row["outcome"], row["docids"], row["reply"]) == (outcome, docids, text)


def test_thinking_is_never_parsed(annotator: Annotator, template) -> None:
    thinker = annotator.model_copy(update={"thinking": True})
    stage = Listwise(thinker, template("relsel"), read_selection)
    assert stage.row(ITEM, said("My selection:[[1]]</think>My selection:[[2]]"))["docids"] == ["b"]
    assert stage.row(ITEM, said("My selection:[[1]]", "length"))["outcome"] == "truncated"


def test_ranking_keeps_every_passage(annotator: Annotator, template) -> None:
    row = Listwise(annotator, template("utilrank"), read_ranking).row(ITEM, said("[3] > [1]"))
    assert row["docids"] == ["c", "a", "b"]


def test_pseudo_answer_sees_the_relevant_passages_only(annotator: Annotator, template, tmp_path: Path) -> None:
    items = read_pool(pool_file(tmp_path / "pool.parquet", 1))
    relsel = annotation_file(tmp_path / "relsel.parquet", [annotation_row("q0", docids=["d0d", "d0b"])])
    (item,) = keep_relevant(items, relsel)
    ((*_, last),) = AnswerStage(annotator, template("answer")).requests(item)
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


def test_utility_without_a_pseudo_answer_is_an_error(annotator: Annotator, template) -> None:
    item = replace(ITEM, answer=None)
    assert isinstance(selection_stage(annotator, template("utilsel")).requests(item), Failure)
    assert isinstance(AnswerGain(template("pointwise_answer"), minimum_gain=0).requests(item), Failure)


@pytest.mark.parametrize(("percent", "kept"), [(50, ["c"]), (67, ["c", "a"]), (1, ["c"]), (100, ["c", "a", "b"])])
def test_pointwise_relevance_keeps_a_share_best_first_and_at_least_one(
    template, percent: float, kept: list[str]
) -> None:
    row = QuestionLikelihood(percent, template("pointwise_relevance")).row(ITEM, scored(-2, -3, -1))
    assert row["docids"] == kept
    assert row["scores"] == [{"docid": d, "score": s} for d, s in (("a", -2), ("b", -3), ("c", -1))]


def test_pointwise_utility_is_the_gain_over_no_passage(template) -> None:
    row = AnswerGain(template("pointwise_answer"), minimum_gain=0).row(ITEM, scored(-2, -1.5, -2, -1))
    assert (row["outcome"], row["docids"]) == ("ok", ["c", "a"])
    assert [score["score"] for score in row["scores"]] == [0.5, 0, 1]


def test_no_gain_anywhere_is_an_empty_selection(template) -> None:
    row = AnswerGain(template("pointwise_answer"), minimum_gain=0).row(ITEM, scored(-1, -1.5, -2, -1))
    assert (row["outcome"], row["docids"]) == ("empty", [])


def test_pointwise_ranking_orders_all_by_gain_and_ties_by_place(template) -> None:
    row = AnswerGain(template("pointwise_answer"), minimum_gain=None).row(ITEM, scored(-1, -3, -2, -3))
    assert (row["outcome"], row["docids"]) == ("ok", ["b", "a", "c"])


def test_gain_compares_the_same_answer_with_one_passage_and_with_none(template) -> None:
    without, *given = AnswerGain(template("pointwise_answer"), minimum_gain=0).requests(ITEM)
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


def test_every_query_has_one_row_in_pool_order_and_failures_are_outcomes(engine, template, tmp_path: Path) -> None:
    items = read_pool(pool_file(tmp_path / "pool.parquet", 5))
    truth = tmp_path / "truth.parquet"
    answers = [
        {"query_id": "q3", "answers": ["three"]},
        {"query_id": "q1", "answers": []},
        {"query_id": "q0", "answers": ["zero"]},
    ]
    ANSWERS.write(truth, ANSWERS.rows(answers))
    with CompletionStore(tmp_path / "store") as store:
        annotate(list(with_truth(items, truth)), ReplugStage(template("replug")), engine, store, tmp_path / "out")
    rows = ANNOTATION.read(tmp_path / "out").to_pylist()
    assert [row["query_id"] for row in rows] == ["q0", "q1", "q2", "q3", "q4"]
    assert [row["outcome"] for row in rows] == ["ok", "error", "error", "ok", "error"]
    assert rows[1]["finish_reason"] == "there is no ground-truth answer"
    assert [score["docid"] for score in rows[0]["scores"]] == ["d0a", "d0b", "d0c", "d0d"]
    assert rows[0]["prompt_tokens"] > 0


def test_failed_request_fails_its_query_alone_and_is_tried_again(
    engine, annotator: Annotator, template, tmp_path: Path
) -> None:
    long = Item("long", "who? " * 1500, ITEM.passages)
    stage = relevance_stage(annotator.model_copy(update={"sampling": Sampling(max_new_tokens=4)}), template("relsel"))
    with CompletionStore(tmp_path / "store") as store:
        annotate([long, ITEM], stage, engine, store, tmp_path / "out")
    rows = ANNOTATION.read(tmp_path / "out").to_pylist()
    assert rows[0]["outcome"] == "error"
    assert "prompt tokens" in rows[0]["finish_reason"]
    assert rows[1]["outcome"] in ("unparsable", "truncated")
    (segment,) = (tmp_path / "store").glob("*.jsonl")
    assert len(segment.read_text().splitlines()) == 1


class Refusing:
    """An engine that may not be asked for anything."""

    def __init__(self, engine) -> None:
        self.identity, self.special_tokens = engine.identity, engine.special_tokens

    def generate(self, chats, sampling):
        assert not chats
        return iter(())

    def log_likelihood(self, requests):
        assert not requests
        return iter(())


def test_stored_completions_are_never_asked_for_again(engine, template, tmp_path: Path) -> None:
    """Another number of shards, another threshold, utilrank after utilsel: the same requests, so the same records."""
    items = [replace(item, answer="an answer") for item in read_pool(pool_file(tmp_path / "pool.parquet", 4))]
    first = AnswerGain(template("pointwise_answer"), minimum_gain=0)
    with CompletionStore(tmp_path / "store") as store:
        annotate(items, first, engine, store, tmp_path / "utilsel")
    with CompletionStore(tmp_path / "store") as store:
        ranking = AnswerGain(template("pointwise_answer"), minimum_gain=None)
        for part, name in ((items[:3], "a"), (items[3:], "b")):
            annotate(part, ranking, Refusing(engine), store, tmp_path / name)
    rows = ANNOTATION.read(tmp_path / "utilsel").to_pylist()
    again = [row for name in "ab" for row in ANNOTATION.read(tmp_path / name).to_pylist()]
    assert [row["scores"] for row in again] == [row["scores"] for row in rows]


def test_equal_requests_are_made_once(engine, template, tmp_path: Path) -> None:
    twins = [replace(ITEM, query_id=name, answer="me") for name in ("x", "y")]
    with CompletionStore(tmp_path / "store") as store:
        annotate(twins, ReplugStage(template("replug")), engine, store, tmp_path / "out")
    (segment,) = (tmp_path / "store").glob("*.jsonl")
    assert len(segment.read_text().splitlines()) == 3
    first, second = ANNOTATION.read(tmp_path / "out").to_pylist()
    assert first["scores"] == second["scores"]
