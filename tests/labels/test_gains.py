"""Labels by how much better an LLM answers with a passage than without one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import configuration
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_pools import Pool, write_annotation, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.answer_metrics import values_of
from utility_annotation.evaluation.answers import evaluate_answers
from utility_annotation.io.label_values import IGNORED
from utility_annotation.io.schemas import LABELS
from utility_annotation.labels.gains import NO_TRUTH, GroundTruth
from utility_annotation.labels.quality import QualitySettings, label_quality
from utility_annotation.labels.sources import Parts, make_labels
from utility_annotation.labels.work import work_of_labels
from utility_annotation.planning import labels as planned
from utility_annotation.settings import Labels

POOL: Pool = {
    "q1": [("a", True), ("b", False), ("c", False), ("d", False)],
    "q2": [("a", False), ("b", True)],
    "q3": [("a", True), ("b", False)],
}
TRUTH = {"q1": ["the Nile", "River Nile"], "q2": ["42"]}
ANSWERED: dict[str, dict[str, Any]] = {
    "q1": {"docids": ["a", "b", "d"], "replies": ["the Amazon", "Nile.", "the Amazon", "the long Nile river", ""]},
    "q2": {"docids": ["a", "b"], "replies": ["It is 42", "41", "42"]},
    "q3": {"docids": ["a", "b"], "replies": ["no", "yes", "no"]},
}


def label(
    folder: Path, answered: dict[str, dict[str, Any]] = ANSWERED, truth: dict[str, list[str]] = TRUTH, **keys: Any
) -> dict[str, dict[str, float]]:
    parts = Parts(
        write_pool(folder / "pool", POOL),
        write_annotation(folder / "annotation", answered),
        truth=GroundTruth(truth, partial(values_of, keys.get("metric", "em"))),
    )
    labels = Labels(**{"pool": "pool", "source": "gain-short", "annotator": "llm", "metric": "em", **keys})
    merged = make_labels(labels, parts, folder / "labels.parquet")
    left_out = set(POOL) - set(truth)
    assert merged.left_out == ({NO_TRUTH: len(left_out)} if left_out else {})
    found: dict[str, dict[str, float]] = {}
    for row in LABELS.read(folder / "labels.parquet").to_pylist():
        found.setdefault(row["query_id"], {})[row["docid"]] = row["label"]
    return found


def test_a_passage_with_which_the_llm_answers_better_is_positive(tmp_path: Path) -> None:
    assert label(tmp_path) == {
        "q1": {"a": 1, "b": 0, "c": IGNORED, "d": 0},  # nobody knows what c is good for: its answer could not be read
        "q2": {"a": 0, "b": 1},
    }


@pytest.mark.parametrize(
    ("metric", "margin", "of_d", "of_2b"),
    [
        ("em", 0, 0, 1),
        ("f1", 0, 1, 1),  # long Nile river beside River Nile: 2 · 2/3 · 1 / (5/3) = 0.8; It is 42 beside 42: 0.5
        ("f1", 0.5, 1, 0),
        ("f1", 0.8, 0, 0),
        ("has-answer", 0, 0, 0),  # the words are there in another order; and 42 is in both answers
        ("rouge-l", 0, 1, 1),
    ],
)
def test_the_metric_and_the_margin_decide(tmp_path: Path, metric: str, margin: float, of_d: int, of_2b: int) -> None:
    found = label(tmp_path, metric=metric, margin=margin)
    assert (found["q1"]["d"], found["q2"]["b"]) == (of_d, of_2b)


ANSWER = st.sampled_from(["", "the Nile", "Nile river", "a river", "42", "It is 42", "none"])


@settings(max_examples=25)
@given(
    st.lists(ANSWER, min_size=5, max_size=5),
    st.sampled_from(["em", "f1", "has-answer", "rouge-l"]),
    st.sampled_from([0, 0.25]),
)
def test_labels_are_what_the_evaluation_of_both_answers_says(
    tmp_path_factory: pytest.TempPathFactory, answers: list[str], metric: str, margin: float
) -> None:
    answered = {**ANSWERED, "q1": {"docids": ["a", "b", "c", "d"], "replies": answers}}
    found = label(tmp_path_factory.mktemp("gains"), answered, metric=metric, margin=margin)
    names = ("alone", "a", "b", "c", "d")
    evaluated = evaluate_answers(
        dict.fromkeys(names, TRUTH["q1"]), dict(zip(names, answers, strict=True)), [metric]
    ).values[metric]
    expected = evaluated[1:] - evaluated[0] > margin
    assert np.array_equal([found["q1"][docid] > 0 for docid in names[1:]], expected)


def test_the_quality_is_that_of_the_positives(tmp_path: Path) -> None:
    label(tmp_path)
    quality = label_quality(
        QualitySettings(labels="gained", source="gain-short", annotator="llm"),
        tmp_path / "labels.parquet",
        *([tmp_path / name / "0000-of-0001.parquet"] for name in ("pool", "annotation")),
    )
    assert (quality["queries"], quality["ignored"]) == (2, 1)
    assert quality["selection"]["precision"] == quality["selection"]["recall"] == 100
    assert quality["annotation"]["completed"] is None


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"docids": ["a"], "replies": ["x"]}, "row of query q1 does not have one answer for each of its passages"),
        ({"docids": None, "replies": ["x"]}, "row of query q1 does not have one answer"),
        ({"docids": ["z"], "replies": ["x", "y"]}, "passage z is not among the candidates of query q1"),
    ],
)
def test_answers_of_another_stage_or_pool_are_refused(tmp_path: Path, columns: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        label(tmp_path, {**ANSWERED, "q1": columns})


def test_without_any_ground_truth_nothing_is_labelled(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=NO_TRUTH):
        label(tmp_path, truth={})


GAINED = {"pool": "pool", "source": "gain-short", "annotator": "judge", "metric": "f1"}


def test_the_answers_are_an_input_of_the_labels_alone_and_count_as_human_work() -> None:
    made = configuration(labels={"gained": GAINED, "useful": {**GAINED, "source": "utilsel", "metric": None}})
    assert planned.truth(made, labels="gained") == ["data/data/answers/train.parquet"]
    assert planned.truth(made, labels="useful") == []
    work = work_of_labels(made, "gained")
    assert work is not None
    assert [each.kind for each in work] == ["answers", "gain-short"]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"metric": None}, r"labels\.gained: labels of source gain-short need `metric`; known: em, f1, has-answer"),
        ({"metric": "rouge"}, r"labels\.gained\.metric names 'rouge', .*did you mean 'rouge-l'"),
        ({"metric": "bert-score"}, r"labels\.gained\.metric names 'bert-score'"),
        ({"margin": 1}, r"labels\.gained\.margin"),
        ({"annotator": None}, r"labels\.gained: labels of source gain-short need `annotator`"),
        ({"source": "utilsel"}, r"labels\.gained\.metric has no effect on labels of source utilsel"),
        ({"source": "utilsel", "metric": None, "margin": 0.1}, r"labels\.gained\.margin has no effect"),
    ],
)
def test_a_generator_without_a_metric_and_a_metric_without_a_generator_are_refused(
    keys: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        configuration(labels={"gained": {**GAINED, **keys}})
