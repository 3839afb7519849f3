"""Where the judge of a test set also made labels of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config
from whole import WHOLE, at_places

from utility_annotation.labels.annotators import SharedJudge, annotators_of_training, shared_judges
from utility_annotation.labels.work import work_of_training
from utility_annotation.planning import jobs, results, retrieval
from utility_annotation.planning.loading import load

TRAININGS = ("untrained", "human", "useful", "refined")


def test_labels_of_members_and_of_first_stages_count() -> None:
    united = at_places({"trainings/human/labels": "both"})
    assert annotators_of_training(united, "human") == {"list"}
    assert {name: annotators_of_training(WHOLE, name) for name in TRAININGS} == {
        "untrained": set(),
        "human": set(),
        "useful": {"list"},
        "refined": {"list"},
    }


def test_the_labels_by_which_weights_are_chosen_count_and_those_that_are_only_looked_at_do_not() -> None:
    dev = {"labels": "judged", "every": 9}
    seen, chosen = (at_places({"trainings/human/dev": dev | {"keep": keep}}) for keep in ("last", "best"))
    assert [annotators_of_training(each, "human") for each in (seen, chosen)] == [set(), {"served"}]
    assert [len(work_of_training(each, "human") or ()) for each in (seen, chosen)] == [1, 2]
    assert [list(retrieval.training_questions(each)) for each in (seen, chosen)] == [
        ["data/train"],
        ["data/dev", "data/train"],
    ]


def test_a_judge_of_its_own_is_not_shared() -> None:
    assert shared_judges(WHOLE, TRAININGS, ["dev", "judged", "answered"]) == ()


def test_a_judge_that_made_labels_is_found_through_averages_and_first_stages() -> None:
    shared = SharedJudge(testset="labelled", annotator="list", trainings=("useful", "refined"))
    assert shared_judges(WHOLE, TRAININGS, ["means"]) == (shared,)


def test_an_own_corpus_may_have_a_judge_of_its_own(root: Path) -> None:
    configuration: dict[str, Any] = {}
    for name in ("own-corpus", "own-corpus-judge"):
        update_config(configuration, yaml.safe_load((root / "config" / f"{name}.yaml").read_text()))
    loaded = load(configuration)
    same = SharedJudge(testset="held-out", annotator="llm", trainings=("utilsel",))
    assert shared_judges(loaded, ["untrained", "utilsel"], ["held-out", "held-out-judge"]) == (same,)
    assert jobs.write_verdict(loaded, table="own").judges == ("judge",)
    (group,) = results.judged_alike(loaded, table="own")
    assert group.judges == {"held-out-judge": "held-out-judge", "held-out": "held-out"}


def test_two_annotators_with_the_same_weights_are_one_judge() -> None:
    same = at_places({"labels/judged/annotator": "point"})
    shared = SharedJudge(testset="judged", annotator="point", trainings=("useful",))
    assert shared_judges(same, ["human", "useful"], ["judged"]) == (shared,)
    other = at_places({"labels/judged/annotator": "point", "annotators/point/model": "bert"})
    assert shared_judges(other, ["human", "useful"], ["judged"]) == ()
