"""Selected runs: what is wrong with them, their seeds, their files, and who made the labels behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.labels.annotators import SharedJudge, annotators_of_training
from utility_annotation.planning import answers, jobs, reranking, results, runs, selection
from utility_annotation.planning.loading import read_resolved, write_resolved
from utility_annotation.planning.plan import Plan

SHOWN = {"tables/answers/selected": ["sure"]}
SEEDS = {"trainings/useful/seeds": [42, 7]}
NO_SCORES = "but `labels` calibrate the scores of a reranker: name a `reranked/NAME` with a `reranker`"


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({"selected/sure/retriever": "bm25/bm25"}, f"selected.sure.retriever is bm25/bm25, {NO_SCORES}"),
        ({"selected/sure/retriever": "encoder/human"}, f"selected.sure.retriever is encoder/human, {NO_SCORES}"),
        ({"selected/sure/retriever": "reranked/by-list"}, f"selected.sure.retriever is reranked/by-list, {NO_SCORES}"),
        ({"selected/sure/retriever": "selected/chosen"}, f"selected.sure.retriever is selected/chosen, {NO_SCORES}"),
        (
            {"selected/sure/depth": 51},
            "selected.sure.depth is 51, but reranked/again scores 50 passages: lower it to that, or raise "
            "reranked.again.depth",
        ),
        (
            {"selected/sure/labels": "useful"},
            "selected.sure.labels: 'useful' is not held out, as trainings.useful is trained on it",
        ),
        (
            {"selected/sure/labels": "few", "reranked/again/reranker": "cross/refined"},
            "selected.sure.labels: 'few' is not held out, as trainings.refined is trained on it",
        ),
        (
            {"selected/sure/labels": "useful", "reranked/again/reranker": "cross/refined"},
            "selected.sure.labels: 'useful' is not held out, as trainings.useful is trained on it",
        ),
        ({"selected/sure/labels": "likely"}, "selected.sure.labels: labels of source replug have no positives"),
        (
            {"selected/sure/method": "isotonc"},
            "selected.sure.method names 'isotonc', which is not one of the methods of calibration",
        ),
        *(
            ({"selected/chosen/stage": stage}, f"selected.chosen.stage names {stage!r}, which is not a stage that sel")
            for stage in ("answer", "replug", "utilrank", "utilsel-truth", "utilsell")
        ),
        ({"selected/sure/annotator": "list"}, "give one of `labels`, by which a reranker's scores are calibrated"),
        ({"selected/sure/labels": None}, "give one of `labels`, by which a reranker's scores are calibrated"),
        ({"selected/sure/labels": "askd"}, "selected.sure.labels names 'askd', which is not in `labels` (did you mea"),
        ({"selected/chosen/annotator": "lisst"}, "selected.chosen.annotator names 'lisst', which is not in `annotat"),
        ({"selected/chosen/retriever": "bm25/bm52"}, "selected.chosen.retriever names 'bm25/bm52', which is not in"),
        ({"selected/sure/retriever": "reranked/agian"}, "selected.sure.retriever names 'reranked/agian', which is no"),
        ({"selected/sure/retriever": "again"}, "selected.sure.retriever: give two names with a slash between them"),
        ({"selected/chosen/retriever": "selected/chosen"}, "selected.chosen: it comes after itself"),
        ({"reranked/again/retriever": "selected/sure"}, ": it comes after itself"),
        (
            {"selected/again": {"retriever": "bm25/bm25", "annotator": "list"}},
            "selected.again: a ranking of `reranked` has this name",
        ),
        (
            {"selected/human": {"retriever": "bm25/bm25", "annotator": "list"}},
            "selected.human: a training has this name",
        ),
        (
            {"selected/splade": {"retriever": "bm25/bm25", "annotator": "list"}},
            "selected.splade: an external run has this name",
        ),
        ({"selected/bm25": {"retriever": "bm25/bm25", "annotator": "list"}}, "selected.bm25: this name is reserved"),
        ({"backbones/selected": {"model": "bert"}}, "backbones.selected: this name is reserved"),
        ({"rerankers/selected": {"model": "bert"}}, "rerankers.selected: this name is reserved"),
        ({"selected/chosen/threshold": 0.3}, "selected.chosen.threshold has no effect with an annotator"),
        ({"selected/chosen/method": "platt"}, "selected.chosen.method has no effect with an annotator"),
        ({"selected/sure/stage": "relsel"}, "selected.sure.stage has no effect with `labels`"),
        ({"selected/sure/threshold": 1.0}, "selected.sure.threshold"),
        ({"selected/sure/threshold": 0.0}, "selected.sure.threshold"),
        ({"tables/answers/selected": ["sur"]}, "tables.answers.selected names 'sur', which is not in `selected`"),
        (
            {**SEEDS, "selected/sure-seed7": {"retriever": "bm25/bm25", "annotator": "list"}},
            "selected.sure-seed7: this name belongs to seed 7 of selected.sure",
        ),
        (
            {"tables/retrieval/selected": ["chosen"], "selected/chosen/depth": 1001},
            "selected.chosen.depth is 1001, but testsets.",
        ),
        ({"tables/retrieval/answer_work": ["tokens"]}, "`answer_work` and `bm25_answers` need `qa`"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(places: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as error:
        at_places(places)
    assert expected in str(error.value)
    assert str(error.value).count("Fix: ") == 1
    assert str(error.value).count("selected.sure.retriever") <= 1, "one mistake is told once"


@pytest.mark.parametrize(
    "places",
    [
        {"selected/sure/labels": "useful", "reranked/again/reranker": "cross/human"},
        {"selected/sure/labels": "useful", "reranked/again/reranker": "cross/untrained"},
        {"selected/sure/depth": 50},
        {"selected/sure/labels": "theirs"},
        *({"selected/chosen/stage": stage} for stage in ("relsel", "utilsel")),
        {"selected/more": {"retriever": "selected/chosen", "annotator": "point"}},
        {"pools/found/source/retrievers": ["bm25/bm25", "selected/chosen"]},
    ],
)
def test_what_fits_is_accepted(places: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = at_places(places)
    monkeypatch.chdir(tmp_path)
    assert read_resolved(write_resolved(configuration)).selected == configuration.selected


def test_the_stages_that_select_are_those_of_positives_without_a_given_answer() -> None:
    assert selection.selecting_stages() == ["relsel", "utilsel"]


def test_a_selected_run_has_one_of_each_seed_of_its_ranking_each_with_its_own_calibration() -> None:
    configuration = at_places(SEEDS)
    chain = {name: configuration.selected[name].retriever for name in configuration.selected}
    assert chain == {
        "sure": "reranked/again",
        "sure-seed7": "reranked/again-seed7",
        "chosen": "bm25/bm25",
        "chosen-by-point": "bm25/bm25",
        "chosen-by-served": "selected/sure",
        "chosen-by-served-seed7": "selected/sure-seed7",
    }
    calibrations = {name: selection.calibration(configuration, selected=name) for name in ("sure", "sure-seed7")}
    assert calibrations == {
        "sure": ["results/calibrations/cross/useful/asked.json"],
        "sure-seed7": ["results/calibrations/cross/useful-seed7/asked.json"],
    }
    assert selection.run(configuration, selected="sure-seed7", testset="judged") == (
        "results/runs/reranked/again-seed7/dev.parquet"
    )
    assert selection.model(configuration, reranker="cross", training="useful-seed7") == (
        "results/models/cross/useful-seed7"
    )


def test_a_selection_from_a_retriever_follows_the_seeds_of_its_training() -> None:
    configuration = at_places({"selected/chosen/retriever": "encoder/human", "trainings/human/seeds": [42, 3]})
    assert configuration.selected["chosen-seed3"].retriever == "encoder/human-seed3"
    assert configuration.selected["chosen-seed3"].annotator == "list"
    assert configuration.selected["sure-seed3"].retriever == "reranked/again-seed3"
    assert selection.calibration(configuration, selected="sure-seed3") == [
        "results/calibrations/cross/useful/asked.json"
    ], "the reranker has one seed"


def test_a_mistake_is_told_once_for_all_seeds() -> None:
    with pytest.raises(InputError) as error:
        at_places({**SEEDS, "selected/sure/depth": 51})
    assert str(error.value).count("depth is 51") == 1


def test_a_ranking_is_traced_through_selections_and_rerankings() -> None:
    assert list(runs.stages(WHOLE, "selected/chosen-by-served")) == [
        "selected/chosen-by-served",
        "selected/sure",
        "reranked/again",
        "encoder/human",
    ]
    assert list(runs.stages(WHOLE, "bm25/bm25")) == ["bm25/bm25"]
    assert reranking.models(WHOLE, "selected/chosen-by-served") == [("cross", "useful"), ("encoder", "human")]
    assert reranking.by_backbone(WHOLE, "selected/sure")
    assert not reranking.by_backbone(WHOLE, "selected/chosen")
    assert runs.run(WHOLE, retriever="selected/sure", testset="judged") == "results/runs/selected/sure/dev.parquet"
    theirs = at_places({"reranked/again/retriever": "external/splade"})
    assert runs.run(theirs, retriever="selected/sure", testset="judged").endswith("selected/sure/judged.parquet")
    assert reranking.external_run(theirs, "selected/sure") == "splade"


def test_scores_are_those_of_the_reranker_and_an_llm_has_none() -> None:
    assert selection.scored_by(WHOLE, "sure") == ("cross", "useful")
    assert selection.training(WHOLE, "sure") == "useful"
    assert selection.scored_by(WHOLE, "chosen") is None
    assert selection.calibration(WHOLE, selected="chosen") == []


def test_all_labels_on_which_a_reranker_rests_are_held_against_the_held_out_ones() -> None:
    refined = {"training": "refined", "labels": "asked"}
    assert selection.trained_labels(WHOLE, **refined) == [
        "results/labels/few.parquet",
        "results/labels/useful.parquet",
    ]
    assert selection.trained_labels(WHOLE, training="untrained", labels="asked") == []
    other = {"corpus": {"format": "jsonl", "path": "x"}, "splits": {"asked": WHOLE.datasets["data"].splits["asked"]}}
    other["splits"] = {"asked": {"queries": {"format": "jsonl", "path": "own/asked.jsonl"}}}
    source = {"path": "own/others.jsonl"}
    places = {"datasets/other": other, "pools/others": {"dataset": "other", "split": "asked", "source": source}}
    places |= {"labels/others": {"pool": "others", "source": "relsel", "annotator": "list"}}
    apart = at_places(places)
    assert selection.trained_labels(apart, training="refined", labels="others") == [], "other data has other questions"


def test_an_llm_goes_through_the_stages_up_to_the_one_that_selects() -> None:
    stages = {name: selection.llm_stages(WHOLE, selected=name) for name in ("chosen", "chosen-by-served")}
    assert stages == {"chosen": ["relsel", "answer", "utilsel"], "chosen-by-served": ["relsel"]}
    listed = selection.templates(WHOLE, selected="chosen")
    assert [Path(each).name for each in listed] == ["relsel.j2", "answer.j2", "utilsel.j2"]
    pointwise = selection.templates(WHOLE, selected="chosen-by-point")
    assert [Path(each).name for each in pointwise] == ["pointwise_relevance.j2"] + 2 * ["pointwise_answer.j2"]
    settings = jobs.select_by_llm(WHOLE, selected="chosen")
    assert (settings.stages, settings.depth) == (("relsel", "answer", "utilsel"), 20)


def test_a_job_reads_what_decides_its_result() -> None:
    settings = jobs.select(
        at_places({"selected/sure/method": "platt", "selected/sure/threshold": 0.3}), selected="sure"
    )
    assert (settings.method, settings.threshold, settings.depth) == ("platt", 0.3, 20)
    scoring = jobs.score_pool(at_places({"pools/found/titles": False}), reranker="cross", pool="found")
    assert (scoring.reranker, scoring.titles) == (WHOLE.rerankers["cross"], False)


def test_who_judges_the_labels_that_calibrate_has_a_part_in_a_selected_run() -> None:
    of_people = at_places({"reranked/again/reranker": "cross/human", "selected/sure/labels": "theirs"})
    assert annotators_of_training(of_people, "sure") == set()
    judged = at_places({"reranked/again/reranker": "cross/human", "selected/sure/labels": "judged"})
    assert annotators_of_training(judged, "sure") == {"served"}
    assert annotators_of_training(WHOLE, "sure") == {"list"}
    assert annotators_of_training(WHOLE, "chosen-by-point") == {"point"}
    assert annotators_of_training(WHOLE, "chosen-by-served") == {"served", "list"}


def test_a_judge_that_calibrates_a_row_is_told_below_the_table() -> None:
    alone = {"title": "T", "testsets": ["labelled"], "selected": ["sure"], "baseline": None}
    people = {"reranked/again/reranker": "cross/human"}
    shared = SharedJudge(testset="labelled", annotator="list", trainings=("sure",))
    told = jobs.results_table(at_places({"tables/alone": alone, **people}), table="alone").shared_judges
    assert told == (shared,)
    theirs = at_places({"tables/alone": alone, **people, "selected/sure/labels": "theirs"})
    assert jobs.results_table(theirs, table="alone").shared_judges == ()


def test_a_table_shows_every_seed_of_a_selected_run_beside_what_it_is_made_from() -> None:
    configuration = at_places({**SEEDS, **SHOWN, "tables/answers/reranked": ["again"]})
    cells = [cell for cell in results.cells(configuration, "answers") if "selected" in cell]
    assert cells == [f"results/rag/selected/{name}/task/list/metrics" for name in ("sure", "sure-seed7")]
    settings = jobs.results_table(configuration, table="answers")
    assert settings.seeds["sure"] == ("sure", "sure-seed7")
    assert settings.first_stages["sure"] == ("reranked", "again")
    assert results.shown_calibrations(configuration) == [
        "results/calibrations/cross/useful/asked.json",
        "results/calibrations/cross/useful-seed7/asked.json",
    ]
    assert "results/figures/calibration.svg" in results.all_figures(configuration)
    assert "results/models/cross/useful-seed7" in Plan(configuration, Path()).targets()["models"]


def test_without_a_calibrated_row_no_calibration_is_drawn() -> None:
    by_llm = at_places({"tables/answers/selected": ["chosen"]})
    for configuration in (WHOLE, by_llm):
        assert results.shown_calibrations(configuration) == []
        assert "results/figures/calibration.svg" not in results.all_figures(configuration)


def test_the_work_behind_answers_is_that_of_every_job_that_chose_the_passages() -> None:
    names = {"qa": "task", "generator": "list"}
    assert answers.work(WHOLE, retriever="selected/chosen-by-served", **names) == [
        "results/rag/selected/chosen-by-served/task/list/summary.json",
        *(
            f"results/runs/{name}/answered.json"
            for name in ("selected/chosen-by-served", "selected/sure", "reranked/again")
        ),
    ]
    assert answers.work(WHOLE, retriever="bm25/bm25", **names) == ["results/rag/bm25/bm25/task/list/summary.json"]


def test_prices_are_those_of_a_table_that_shows_them() -> None:
    priced = {"tables/answers/answer_work": ["tokens", "usd_per_1000"], "cost/gpu_hour_usd": 2.5}
    prices = jobs.results_table(at_places(priced), table="answers").prices
    assert prices is not None
    assert prices.gpu_hour_usd == 2.5
    shown = at_places({"tables/answers/answer_work": ["tokens", "seconds"]})
    assert jobs.results_table(shown, table="answers").prices is None


def test_first_stages_in_a_circle_are_told_and_not_followed_for_ever() -> None:
    with pytest.raises(InputError, match=r"trainings\.refined: it comes after itself"):
        at_places({"trainings/useful/init_from": "refined"})


@pytest.mark.parametrize(
    ("places", "circle"),
    [
        ({"labels/by-selector/calibration": "by-selector"}, ["labels.by-selector"]),
        # the selector learns from the cascade of which it is a member
        ({"trainings/useful/labels": "in-turn"}, ["labels.by-selector", "trainings.useful", "labels.in-turn"]),
        # the part of which it is unsure
        (
            {"labels/of-part/pool": "unsure", "trainings/useful/labels": "of-part"},
            ["labels.by-selector", "pools.unsure", "labels.of-part", "trainings.useful"],
        ),
        # its pool has passages of the ranking that it calibrates
        ({"pools/found/source/retrievers": ["selected/sure"]}, ["labels.asked", "selected.sure", "pools.found"]),
        # its pool has passages of a retriever that is trained on its labels
        ({"trainings/human/labels": "asked"}, ["labels.asked", "trainings.human", "pools.found"]),
    ],
)
def test_what_comes_after_itself_is_refused_and_its_way_is_told(places: dict[str, Any], circle: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        at_places(places)
    way = str(refused.value).partition("it comes after itself (")[2].partition(")")[0].split(" → ")
    assert way[0] == way[-1] == min(way)
    assert set(circle) <= set(way)


def test_an_unknown_column_about_the_work_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"tables\.answers\.answer_work names 'token'.*did you mean 'tokens'"):
        at_places({"tables/answers/answer_work": ["token"]})
