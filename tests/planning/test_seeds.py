"""Several seeds of one training: the trainings that come of it, what they start from, and what stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.labels.work import work_of_labels
from utility_annotation.planning import jobs, labels, results, selection, training
from utility_annotation.planning.loading import read_resolved, write_resolved
from utility_annotation.settings import Configuration, canonical


def with_seeds(**seeds: list[int]) -> Configuration:
    """The whole configuration with these seeds for these trainings."""
    return at_places({f"trainings/{name}/seeds": members for name, members in seeds.items()})


def test_each_further_seed_is_a_training_of_its_own() -> None:
    found = with_seeds(human=[42, 7, 3]).trainings
    assert {name: found[name].seed for name in found if name.startswith("human")} == {
        "human": 42,
        "human-seed7": 7,
        "human-seed3": 3,
    }


def test_a_curriculum_follows_its_first_stage_seed_by_seed() -> None:
    found = with_seeds(useful=[42, 7], refined=[7, 42]).trainings
    assert (found["refined"].init_from, found["refined-seed7"].init_from) == ("useful", "useful-seed7")


def test_a_first_stage_of_one_seed_serves_all_seeds() -> None:
    found = with_seeds(refined=[42, 7]).trainings
    assert found["refined-seed7"].init_from == "useful"


def test_a_curriculum_that_begins_with_another_seed_starts_from_that_ones_first_stage() -> None:
    places: dict[str, Any] = {"trainings/useful/seeds": [42, 7], "trainings/refined/seeds": [7]}
    assert at_places({**places, "trainings/refined/seed": 7}).trainings["refined"].init_from == "useful-seed7"


def test_a_further_seed_leaves_the_trainings_that_are_there_as_they_were() -> None:
    before, after = with_seeds(useful=[42, 7], refined=[42, 7]), with_seeds(useful=[42, 7, 3], refined=[3, 42, 7])
    for name in before.trainings:
        settings = [canonical(jobs.train(each, backbone="encoder", training=name)) for each in (before, after)]
        assert settings[0] == settings[1], name
        starts = {training.starting_model(each, backbone="encoder", training=name) for each in (before, after)}
        assert len(starts) == 1


def test_tables_and_charts_take_the_metrics_of_every_seed() -> None:
    seeds = with_seeds(human=[42, 7], useful=[42, 7])
    assert {Path(file).parent.name for file in results.table_metrics(seeds, table="retrieval") if "human" in file} == {
        "human",
        "human-seed7",
    }
    assert "results/metrics/encoder/useful-seed7/dev.json" in results.cost_table_metrics(seeds, cost_table="costs")
    assert ("encoder", "human-seed7") in results.shown_trainings(seeds)


def test_labels_of_a_selector_are_those_of_the_seed_that_they_name() -> None:
    places = {"trainings/useful/seeds": [42, 7], "labels/by-selector/reranker": "cross/useful-seed7"}
    first, other = with_seeds(useful=[42, 7]), at_places(places)
    for configuration, trained in ((first, "useful"), (other, "useful-seed7")):
        scores = labels.scores(configuration, labels="by-selector")
        assert [Path(file).parent for file in scores] == 2 * [Path(f"results/scores/cross/{trained}/rows")]
        assert labels.calibration(configuration, labels="by-selector") == [
            f"results/calibrations/cross/{trained}/asked.json"
        ]
        assert work_of_labels(configuration, "by-selector")[0].reranker == f"cross/{trained}"
    held_out = selection.trained_labels(other, training="useful-seed7", labels="asked")
    assert held_out == ["results/labels/useful.parquet"]


def test_the_configuration_of_the_jobs_can_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seeds = with_seeds(useful=[42, 7], refined=[42, 7])
    written = write_resolved(seeds)
    assert read_resolved(written) == seeds
    edited = written.rename(tmp_path / "edited.yaml")
    assert read_resolved(edited) == seeds


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (
            {"trainings/useful/seeds": [42, 7], "labels/by-selector/reranker": "cross/useful-seed8"},
            "labels.by-selector.reranker names 'cross/useful-seed8', which is not in `rerankers/trainings` or "
            "`backbones/trainings` (did you mean 'cross/useful-seed7'?)",
        ),
        (
            {
                "trainings/useful/seeds": [42, 7],
                "labels/by-selector/reranker": "cross/useful-seed7",
                "labels/by-selector/calibration": "useful",
            },
            "labels.by-selector.calibration: 'useful' is not held out, as trainings.useful-seed7 is trained on it",
        ),
        ({"trainings/human/seeds": [42, 7, 42]}, "trainings.human.seeds: seed 42 is there twice"),
        ({"trainings/human/seeds": [1, 2]}, "trainings.human: `seeds` lacks 42, the value of `seed`"),
        (
            {"trainings/useful/seeds": [42, 7], "trainings/refined/seed": 7, "trainings/refined/seeds": [7, 42]},
            "trainings.refined.seed is 7, but its first stage trainings.useful begins with seed 42",
        ),
        (
            {"trainings/useful/seeds": [42, 7], "trainings/refined/seeds": [42, 3]},
            "trainings.refined.seeds: its first stage trainings.useful has no seed 3",
        ),
        (
            {
                "trainings/human/seeds": [42, 7],
                "trainings/human-seed7": WHOLE.trainings["useful"].model_dump(mode="json"),
            },
            "trainings.human-seed7: this name belongs to seed 7 of trainings.human",
        ),
    ],
)
def test_wrong_seeds_are_one_clear_error(places: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as error:
        at_places(places)
    assert expected in str(error.value)


def test_a_mistake_in_a_training_is_told_once_for_all_its_seeds() -> None:
    with pytest.raises(InputError) as error:
        at_places({"trainings/human/seeds": [42, 7, 3], "trainings/human/labels": "humen"})
    assert str(error.value).count("humen") == 1
