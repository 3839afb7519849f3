"""Reranked runs: what is wrong with them, their seeds, their files, and what tables and the report show of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.labels.annotators import SharedJudge
from utility_annotation.planning import entries, exports, jobs, report, reranking, results, runs, training
from utility_annotation.planning.loading import read_resolved, write_resolved
from utility_annotation.planning.plan import Plan
from utility_annotation.settings import Configuration

SHOWN = {"tables/retrieval/reranked": ["again"]}
OF_SPLADE = {"reranked/again/retriever": "external/splade"}
OTHERS = {"title": "T", "testsets": ["labelled"], "reranked": ["again"]}


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({"reranked/again/retriever": "encoder/humann"}, "reranked.again.retriever names 'encoder/humann', which is n"),
        ({"reranked/again/retriever": "human"}, "reranked.again.retriever: give two names with a slash between them"),
        ({"reranked/again/reranker": "crosss/useful"}, "reranked.again.reranker names 'crosss/useful', which is not i"),
        ({"reranked/again/reranker": "cross/usefull"}, "(did you mean 'cross/useful'"),
        ({"reranked/again/reranker": "bm25/bm25"}, "reranked.again.reranker names 'bm25/bm25', which is not in"),
        ({"reranked/again/retriever": "reranked/again"}, "reranked.again: it comes after itself"),
        (
            {
                "reranked/again/retriever": "reranked/more",
                "reranked/more": {"retriever": "reranked/again", "reranker": "cross/useful"},
            },
            "reranked.again: it comes after itself",
        ),
        (
            {"trainings/human/seeds": [42, 7], "trainings/useful/seeds": [42, 3]},
            "reranked.again: its retriever encoder/human has no seed 3",
        ),
        (
            {"trainings/human/seeds": [42, 7], "trainings/useful/seeds": [42, 7], "trainings/useful/seed": 7},
            "reranked.again: encoder/human begins with seed 42 and cross/useful with seed 7; give both trainings the",
        ),
        (
            {
                "trainings/useful/seeds": [42, 7],
                "reranked/again-seed7": {"retriever": "bm25/bm25", "reranker": "cross/useful"},
            },
            "reranked.again-seed7: this name belongs to seed 7 of reranked.again",
        ),
        ({"reranked/human": WHOLE.reranked["again"].model_dump()}, "reranked.human: a training has this name"),
        ({"reranked/splade": WHOLE.reranked["again"].model_dump()}, "reranked.splade: an external run has this name"),
        ({"reranked/bm25": WHOLE.reranked["again"].model_dump()}, "reranked.bm25: this name is reserved"),
        ({"backbones/reranked": {"model": "bert"}}, "backbones.reranked: this name is reserved"),
        ({"rerankers/external": {"model": "bert"}}, "rerankers.external: this name is reserved"),
        ({"rerankers/encoder": {"model": "bert"}}, "rerankers.encoder: a backbone has this name"),
        ({"rerankers/cross/model": "brt"}, "rerankers.cross.model names 'brt', which is not in `models`"),
        (
            {"tables/retrieval/reranked": ["agian"]},
            "tables.retrieval.reranked names 'agian', which is not in `reranked",
        ),
        (
            {**SHOWN, "reranked/again/depth": 2000},
            "reranked.again.depth is 2000, but testsets.dev retrieves 1000 passages",
        ),
        (
            {"reranked/again/depth": 101, "pools/found/source/retrievers": ["reranked/again"]},
            "reranked.again.depth is 101, but testsets.asked retrieves 100 passages",
        ),
        (
            {
                "reranked/again/depth": 101,
                "report/comparisons": [{"first": "reranked/again", "second": "bm25/bm25", "testset": "asked"}],
            },
            "reranked.again.depth is 101, but testsets.asked retrieves 100 passages",
        ),
        (
            {**OF_SPLADE, "pools/found/source/retrievers": ["reranked/again"]},
            "pools.found.source.retrievers names 'reranked/again', which is not in `backbones/trainings`",
        ),
        ({**OF_SPLADE, "tables/others": OTHERS}, "tables.others: external_runs.splade has no file for any of its test"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(places: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as error:
        at_places(places)
    assert expected in str(error.value)
    assert str(error.value).count("Fix: ") == 1


def test_a_depth_that_no_shown_test_set_reaches_is_told_of_every_test_set() -> None:
    with pytest.raises(InputError) as error:
        at_places({**SHOWN, "testsets/dev/depth": 40, "testsets/asked/depth": 40, "pools/found/source/depth": 40})
    assert "testsets.dev retrieves 40 passages" in str(error.value)
    assert "testsets.asked" not in str(error.value), "nothing orders the passages of this one again"


def seeds(**places: Any) -> Configuration:
    """The whole configuration with two seeds of the reranker's training, and with more."""
    more = {place.replace("__", "/"): value for place, value in places.items()}
    return at_places({"trainings/useful/seeds": [42, 7], **more})


def stages(configuration: Configuration) -> dict[str, tuple[str, str]]:
    return {name: (each.retriever, each.reranker) for name, each in configuration.reranked.items() if each.reranker}


TWICE = {"retriever": "reranked/again", "reranker": "cross/likely", "depth": 10}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (WHOLE, {"again": ("encoder/human", "cross/useful")}),
        (
            seeds(reranked__again__retriever="bm25/bm25"),
            {"again": ("bm25/bm25", "cross/useful"), "again-seed7": ("bm25/bm25", "cross/useful-seed7")},
        ),
        (
            seeds(),
            {"again": ("encoder/human", "cross/useful"), "again-seed7": ("encoder/human", "cross/useful-seed7")},
        ),
        (
            seeds(trainings__human__seeds=[7, 42, 3]),
            {"again": ("encoder/human", "cross/useful"), "again-seed7": ("encoder/human-seed7", "cross/useful-seed7")},
        ),
        (
            at_places({"trainings/human/seeds": [42, 7]}),
            {"again": ("encoder/human", "cross/useful"), "again-seed7": ("encoder/human-seed7", "cross/useful")},
        ),
        (
            seeds(reranked__twice=TWICE),
            {
                "again": ("encoder/human", "cross/useful"),
                "again-seed7": ("encoder/human", "cross/useful-seed7"),
                "twice": ("reranked/again", "cross/likely"),
                "twice-seed7": ("reranked/again-seed7", "cross/likely"),
            },
        ),
    ],
    ids=["one", "of BM25", "of one seed", "of the same seeds", "of the retriever alone", "of a reranked run"],
)
def test_a_reranked_run_follows_the_seeds_of_what_makes_it(
    configuration: Configuration, expected: dict[str, tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stages(configuration) == expected
    monkeypatch.chdir(tmp_path)
    assert read_resolved(write_resolved(configuration)) == configuration


@pytest.mark.parametrize(
    ("reranker", "model"),
    [("encoder/untrained", "data/models/bert"), ("encoder/useful", "results/models/encoder/useful")],
)
def test_a_retriever_scores_in_place_of_a_reranker(reranker: str, model: str) -> None:
    configuration = at_places(
        {"reranked/again": {"retriever": "bm25/bm25", "reranker": reranker}, "labels/by-selector/reranker": reranker}
    )
    assert reranking.model(configuration, reranked="again") == model
    settings = jobs.rerank(configuration, reranked="again")
    assert settings.reranker == configuration.backbones["encoder"]
    assert jobs.score_pool(configuration, reranker="encoder", pool="rows").reranker == settings.reranker
    used = [*entries.rerank(configuration, reranked="again"), *entries.score_pool(configuration, reranker="encoder")]
    pooling = configuration.backbones["encoder"].pooling
    assert set(used) >= {
        "utility_annotation.retrieval.scorers:SCORERS[Backbone]",
        f"utility_annotation.training.pooling:POOLINGS[{pooling}].function",
    }
    assert re.fullmatch(Plan(configuration, Path()).wildcard_patterns()["reranker"], "encoder")


def test_a_mistake_in_a_reranked_run_is_told_once_for_all_its_seeds() -> None:
    with pytest.raises(InputError) as error:
        seeds(reranked__again__retriever="encoder/humann")
    assert str(error.value).count("humann") == 1


def test_a_rerank_job_reads_the_run_of_its_first_stage_and_the_model_of_its_reranker() -> None:
    configuration = seeds(reranked__twice=TWICE, reranked__theirs={**TWICE, "retriever": "external/splade"})
    names = {"reranked": "twice-seed7", "testset": "judged"}
    assert reranking.run(configuration, **names) == "results/runs/reranked/again-seed7/dev.parquet"
    assert runs.run(configuration, retriever="reranked/theirs", testset="judged").endswith("theirs/judged.parquet")
    assert reranking.run(configuration, reranked="again", testset="judged") == "results/runs/encoder/human/dev.parquet"
    assert reranking.model(configuration, reranked="again-seed7") == "results/models/cross/useful-seed7"
    untrained = at_places({"reranked/again/reranker": "cross/untrained"})
    assert reranking.model(untrained, reranked="again") == "data/models/bert"


def test_a_reranker_is_trained_from_its_own_model() -> None:
    assert jobs.train(WHOLE, backbone="cross", training="useful").backbone == WHOLE.rerankers["cross"]
    assert training.starting_model(WHOLE, backbone="cross", training="useful") == "data/models/bert"
    assert training.starting_model(WHOLE, backbone="cross", training="refined") == "results/models/cross/useful"


def test_a_table_shows_every_seed_of_a_reranked_run_beside_its_first_stage() -> None:
    configuration = seeds(**SHOWN)
    cells = results.cells(configuration, "retrieval")
    assert {cell for cell in cells if "reranked" in cell} == {
        f"results/metrics/reranked/{name}/{testset}"
        for name in ("again", "again-seed7")
        for testset in ("dev", "means")
    }
    settings = jobs.results_table(configuration, table="retrieval")
    assert settings.seeds["again"] == ("again", "again-seed7")
    assert settings.first_stages == {"again": ("encoder", "human")}


@pytest.mark.parametrize(
    ("places", "first"),
    [
        ({"reranked/again/retriever": "bm25/bm25"}, ("bm25", "bm25")),
        ({"reranked/again/retriever": "bm25/tuned"}, None),
        ({"reranked/again/retriever": "bm25/tuned", "tables/retrieval/bm25_variants": ["tuned"]}, ("bm25", "tuned")),
        ({**OF_SPLADE, "tables/retrieval/external_runs": ["splade"]}, ("external", "splade")),
        ({"reranked/again/retriever": "encoder/useful"}, None),
        ({"trainings/human/seeds": [42, 7]}, ("encoder", "human")),
        ({"trainings/human/seeds": [42, 7], "reranked/again/retriever": "encoder/human-seed7"}, None),
    ],
)
def test_a_first_stage_is_a_row_of_the_table_or_none(places: dict[str, Any], first: tuple[str, str] | None) -> None:
    found = jobs.results_table(at_places({**SHOWN, **places}), table="retrieval").first_stages
    assert found == ({"again": first} if first else {})


def test_a_cell_is_empty_where_the_run_of_others_behind_it_has_no_file() -> None:
    configuration = at_places({**SHOWN, **OF_SPLADE, "tables/retrieval/testsets": ["dev", "mean", "labelled"]})
    cells = results.cells(configuration, "retrieval")
    assert [Path(cell).name for cell in cells if "reranked" in cell] == ["dev", "mean"]


def test_answers_from_reranked_passages_stand_in_a_table() -> None:
    configuration = seeds(tables__answers__reranked=["again"])
    expected = [f"results/rag/reranked/{name}/task/list/metrics" for name in ("again", "again-seed7")]
    assert [cell for cell in results.cells(configuration, "answers") if "reranked" in cell] == expected


def test_the_trainings_behind_a_reranked_row_are_shown() -> None:
    places = {"tables/answers/reranked": ["twice"], "tables/answers/backbones": [], "tables/answers/groups": []}
    more = {"trainings/human/seeds": [42, 7], "reranked/twice": TWICE, "reranked/again/reranker": "cross/likely"}
    configuration = at_places({**places, **more})
    added = [pair for pair in results.shown_trainings(configuration) if pair not in results.shown_trainings(WHOLE)]
    assert added == [("encoder", "human-seed7"), ("cross", "likely")]
    assert results.shown_seeds(configuration)["human"] == ("human", "human-seed7")
    models = Plan(configuration, Path()).targets()["models"]
    assert {"results/models/cross/likely", "results/models/encoder/human-seed7"} <= set(models)
    assert "results/models/cross/likely/training.json" in report.training_records(configuration)
    assert "results/quality/likely.json" in results.shown_quality(configuration)


def test_an_untrained_reranker_is_no_training_that_is_shown() -> None:
    configuration = at_places({"tables/answers/reranked": ["again"], "reranked/again/reranker": "cross/untrained"})
    assert results.shown_trainings(configuration) == results.shown_trainings(WHOLE)


def test_the_labels_of_a_reranked_row_are_its_rerankers() -> None:
    configuration = at_places({**SHOWN, "tables/retrieval/label_metrics": ["precision"]})
    assert results.table_labels(configuration, table="retrieval")["again"] == "useful"
    assert "results/quality/useful.json" in results.table_quality(configuration, table="retrieval")
    untrained = at_places(
        {**SHOWN, "tables/retrieval/label_metrics": ["precision"], "reranked/again/reranker": "cross/untrained"}
    )
    assert "again" not in results.table_labels(untrained, table="retrieval")


ALONE = {"title": "T", "testsets": ["labelled"], "reranked": ["again"], "baseline": None}


def test_a_table_of_reranked_rows_alone_counts_copies_of_their_training_questions() -> None:
    trained = at_places({"tables/alone": ALONE})
    assert results.table_copies(trained, table="alone") == {"labelled": ["results/training-copies/labelled.parquet"]}
    places = {"reranked/again/retriever": "bm25/bm25", "reranked/again/reranker": "cross/untrained"}
    assert results.table_copies(at_places({"tables/alone": ALONE, **places}), table="alone") == {}


def test_a_judge_that_made_the_labels_of_a_row_or_of_its_first_stage_is_told() -> None:
    def told(more: dict[str, Any] = {}, **places: str) -> tuple[SharedJudge, ...]:  # noqa: B006
        changes = {f"reranked/again/{key}": value for key, value in places.items()}
        return jobs.results_table(at_places({"tables/alone": ALONE, **more, **changes}), table="alone").shared_judges

    shared = SharedJudge(testset="labelled", annotator="list", trainings=("again",))
    assert told() == (shared,)
    assert told(retriever="encoder/useful", reranker="cross/human") == (shared,)
    assert told(reranker="cross/human") == ()
    of_others = {"external_runs/useful": {"files": {"labelled": "own/useful.trec"}}}
    run = {"retriever": "external/useful", "reranker": "cross/human"}
    assert told(more=of_others, **run) == (), "the name of a run of others says nothing of a training"


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ({"reranked/again/retriever": "bm25/tuned", "tables/alone/significance_level": 0.01}, "without a baseline"),
        (
            {"reranked/again/reranker": "cross/untrained", "tables/alone/label_metrics": ["recall"]},
            "without trainings",
        ),
    ],
)
def test_what_has_an_effect_on_reranked_rows_is_accepted_and_refused_without(places: dict[str, Any], why: str) -> None:
    key = next(place for place in places if place.startswith("tables/"))
    with pytest.raises(InputError, match=f"{key.replace('/', '.')} has no effect {why}"):
        at_places({"tables/alone": dict(ALONE), **places})
    first = {"reranked/again/retriever": "bm25/bm25"}
    assert at_places({"tables/alone": dict(ALONE), **first, key: places[key]}).tables["alone"].reranked == ("again",)


def test_a_model_is_exported_with_the_metrics_of_the_rankings_that_it_orders() -> None:
    configuration = seeds(**SHOWN, reranked__other={**TWICE, "retriever": "bm25/bm25"})
    shown = exports.shown_metrics(configuration, backbone="cross", training="useful-seed7")
    assert shown == [f"results/metrics/reranked/again-seed7/{testset}.json" for testset in ("dev", "means")]
    assert exports.shown_metrics(configuration, backbone="cross", training="likely") == [], "no table shows it"
    assert exports.shown_metrics(configuration, backbone="encoder", training="useful") == []
    settings = jobs.export_model(configuration, backbone="cross", training="useful-seed7")
    assert settings.orders == {"again-seed7": "the first 50 passages of encoder/human"}
    assert jobs.export_model(configuration, backbone="encoder", training="human").orders == {}
