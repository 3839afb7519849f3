"""Who judges a pool, and how a choice of passages compares with that of humans."""

from __future__ import annotations

import pytest

from utility_annotation.planning import loading
from utility_annotation.reporting.judges import Judge, facts, judges_of_pools

SOURCE = {"format": "beir", "path": "x.jsonl"}
RAW = {
    "models": {"m": {"hub": "a/b"}},
    "datasets": {
        "d": {
            "corpus": SOURCE,
            "splits": {"train": {"queries": SOURCE, "qrels": SOURCE, "answers": {"format": "jsonl", "path": "a"}}},
        }
    },
    "pools": {name: {"dataset": "d", "source": {"path": "t.jsonl"}} for name in ("p", "other")},
    "annotators": {"listwise": {"model": "m"}, "pointwise": {"model": "m", "protocol": "pointwise"}},
    "labels": {
        "human": {"pool": "p", "source": "human"},
        "elsewhere": {"pool": "other", "source": "human"},
        "useful": {"pool": "p", "source": "utilsel", "annotator": "listwise"},
        "ranked": {"pool": "p", "source": "utilrank", "annotator": "listwise", "top_percent": 30},
        "ranked-more": {"pool": "p", "source": "utilrank", "annotator": "listwise", "top_percent": 60},
        "scored": {"pool": "p", "source": "utilrank", "annotator": "pointwise"},
        "likely": {"pool": "p", "source": "replug", "annotator": "listwise"},
        "gained": {"pool": "p", "source": "gain-short", "annotator": "listwise", "metric": "em"},
        "own": {"pool": "p", "source": "file", "file": {"format": "trec", "path": "own.txt"}},
        "united": {"pool": "p", "source": "union", "of": ["useful", "own"]},
    },
}


def judges(*labels: str) -> dict[str, list[str]]:
    found = judges_of_pools(loading.load(RAW), labels)
    return {pool: [judge.name for judge in of_pool] for pool, of_pool in found.items()}


def test_a_label_set_brings_the_stages_that_it_rests_on() -> None:
    assert judges("useful") == {"p": ["relsel · listwise", "answer · listwise", "utilsel · listwise"]}


def test_a_stage_that_two_label_sets_share_is_one_judge() -> None:
    stages = ["relsel", "answer", "utilsel", "utilrank", "replug"]
    assert judges("likely", "ranked", "useful") == {"p": [f"{stage} · listwise" for stage in stages]}


def test_pointwise_ranking_brings_the_selection_whose_likelihoods_it_takes() -> None:
    assert "utilsel · pointwise" in judges("scored")["p"]


def test_a_union_brings_its_members_and_a_file_comes_last() -> None:
    assert judges("own", "united")["p"][-2:] == ["utilsel · listwise", "own"]


def test_answers_that_a_metric_compares_choose_nothing_but_their_labels_do() -> None:
    assert judges("gained") == {"p": ["gain-short · listwise", "gained"]}
    (found,) = judges_of_pools(loading.load(RAW), ["gained"]).values()
    answered, labelled = found
    row = {"outcome": "ok", "docids": ["a", "b"], "scores": None}
    assert (answered.positives(row), labelled.positives(row)) == (None, ["a", "b"])


def test_a_pool_that_only_humans_judged_is_left_out() -> None:
    assert judges("human", "elsewhere") == {}


def test_of_two_thresholds_the_first_counts() -> None:
    (found,) = judges_of_pools(loading.load(RAW), ["ranked", "ranked-more"]).values()
    assert [judge.top_percent for judge in found] == [None, None, 30]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("relsel", None), ("answer", "relsel"), ("utilsel", "relsel"), ("utilsel-truth", None), ("replug", None)],
)
def test_a_relevance_selection_narrows_the_stages_that_read_it(stage: str, expected: str | None) -> None:
    assert Judge(stage=stage, annotator="a").narrowed_by == expected


@pytest.mark.parametrize(
    ("percent", "docids", "chosen"),
    [(10, ["a", "b", "c"], ["a"]), (70, ["a", "b", "c"], ["a", "b"]), (10, [], []), (10, None, None)],
)
def test_the_top_of_a_ranking_is_chosen(percent: float, docids: list[str] | None, chosen: list[str] | None) -> None:
    assert Judge(stage="utilrank", annotator="a", top_percent=percent).positives({"docids": docids}) == chosen


def test_what_was_added_to_a_ranking_is_never_chosen() -> None:
    judge = Judge(stage="utilrank", annotator="a", top_percent=100)
    assert judge.positives({"docids": ["a", "b", "c"], "named": 2}) == ["a", "b"]


@pytest.mark.parametrize(
    ("outcome", "chosen", "human", "expected"),
    [
        ("ok", ["a"], {"a"}, ("ok", "same")),
        ("ok", ["a", "b"], {"a"}, ("ok", "adds")),
        ("ok", ["a"], {"a", "b"}, ("ok", "misses")),
        ("ok", ["b"], {"a"}, ("ok", "adds", "misses")),
        ("empty", [], {"a"}, ("empty", "misses")),
        ("ok", ["a"], set(), ("ok",)),
        ("empty", [], set(), ("empty",)),
        ("ok", None, {"a"}, ("ok",)),
        ("unparsable", None, {"a"}, ("unparsable",)),
        ("truncated", ["a"], {"a"}, ("truncated",)),
    ],
    ids=["same", "more", "fewer", "others", "nothing", "no human mark", "neither", "an answer", "unread", "cut off"],
)
def test_a_choice_is_compared_with_the_marks_of_humans(
    outcome: str, chosen: list[str] | None, human: set[str], expected: tuple[str, ...]
) -> None:
    assert facts(outcome, chosen, human) == expected


def doubting(*labels: str) -> dict[str, str | None]:
    """Judge → the stage whose selection is ignored, for label sets that ignore some, and others."""
    own = {
        "sure": {"pool": "p", "source": "utilsel", "annotator": "listwise", "ignore": "relsel"},
        "sure-truth": {"pool": "p", "source": "utilsel-truth", "annotator": "listwise", "ignore": "relsel"},
    }
    (found,) = judges_of_pools(loading.load(RAW | {"labels": RAW["labels"] | own}), labels).values()
    return {judge.stage: judge.ignore for judge in found}


@pytest.mark.parametrize("labels", [("sure",), ("sure", "useful"), ("useful", "sure")])
def test_a_judge_knows_what_is_ignored_if_any_label_set_ignores_it(labels: tuple[str, ...]) -> None:
    assert doubting(*labels) == {"relsel": None, "answer": None, "utilsel": "relsel"}


def test_the_stage_whose_selection_is_ignored_is_a_judge_too() -> None:
    assert doubting("sure-truth") == {"relsel": None, "utilsel-truth": "relsel"}


def test_a_judge_that_ignores_nothing_says_nothing_of_it() -> None:
    assert "ignore" not in Judge(stage="utilsel", annotator="a").model_dump()
