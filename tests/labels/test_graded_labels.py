"""Labels of stages that grade: the label of a positive is its grade, and an unreadable grade is ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import configuration
from judged_pools import Pool, write_annotation, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.merged_qrels import merge_qrels
from utility_annotation.io.label_values import IGNORED, are_judgements
from utility_annotation.io.schemas import LABELS, QRELS
from utility_annotation.labels.quality import QualitySettings, label_quality
from utility_annotation.labels.sources import Parts, make_labels
from utility_annotation.settings import Labels

POOL: Pool = {"q1": [("a", True), ("b", False), ("c", False), ("d", False)], "q2": [("a", False), ("b", True)]}
GRADES: dict[str, dict[str, float | None]] = {"q1": {"a": 3, "b": 1, "c": None, "d": 0}, "q2": {"b": 2}}


def columns(grades: dict[str, dict[str, float | None]]) -> dict[str, dict[str, Any]]:
    return {
        query_id: {"scores": [{"docid": docid, "score": grade} for docid, grade in of_query.items()]}
        for query_id, of_query in grades.items()
    }


def label(
    folder: Path, grades: dict[str, dict[str, float | None]] = GRADES, **keys: Any
) -> dict[tuple[str, str], float]:
    parts = Parts(write_pool(folder / "pool", POOL), write_annotation(folder / "annotation", columns(grades)))
    labels = Labels(**{"pool": "pool", "source": "umbrela", "annotator": "llm", **keys})
    make_labels(labels, parts, folder / "labels.parquet")
    table = LABELS.read(folder / "labels.parquet")
    assert are_judgements(table["label"].to_numpy())
    return {(row["query_id"], row["docid"]): row["label"] for row in table.to_pylist()}


@pytest.mark.parametrize(("level", "of_grade_1", "of_grade_2"), [(1, 1, 2), (2, 0, 2), (3, 0, 0)])
def test_grades_below_the_level_are_negative(tmp_path: Path, level: int, of_grade_1: float, of_grade_2: float) -> None:
    assert label(tmp_path, relevance_level=level) == {
        ("q1", "a"): 3,
        ("q1", "b"): of_grade_1,
        ("q1", "c"): IGNORED,
        ("q1", "d"): 0,
        ("q2", "a"): 0,  # not shown
        ("q2", "b"): of_grade_2,
    }


@pytest.mark.parametrize(("source", "grade"), [("umbrela", 4), ("umbrela", 1.5), ("umbrela", -1), ("rlhn", 2)])
def test_a_grade_that_is_not_on_the_scale_is_refused(tmp_path: Path, source: str, grade: float) -> None:
    highest = 3 if source == "umbrela" else 1
    with pytest.raises(InputError, match=rf"grade {grade:g} of passage a is not on the scale from 0 to {highest}"):
        label(tmp_path, {"q1": {"a": grade}, "q2": {"b": 1}}, source=source)


def test_a_graded_label_is_a_grade_in_an_evaluation(tmp_path: Path) -> None:
    label(tmp_path)
    merge_qrels(None, tmp_path / "labels.parquet", tmp_path / "qrels.parquet", relevance_level=2)
    rows = QRELS.read(tmp_path / "qrels.parquet").to_pylist()
    assert {(row["query_id"], row["docid"]): row["grade"] for row in rows} == {
        ("q1", "a"): 3,
        ("q1", "b"): 2,  # a positive is relevant, whatever the level of the test set
        ("q2", "b"): 2,
    }


def test_the_quality_of_graded_labels_is_that_of_their_positives(tmp_path: Path) -> None:
    label(tmp_path, relevance_level=2)
    settings = QualitySettings(labels="graded", source="umbrela", annotator="llm")
    pools, annotation = ([tmp_path / name / "0000-of-0001.parquet"] for name in ("pool", "annotation"))
    found = label_quality(settings, tmp_path / "labels.parquet", pools, annotation)
    assert (found["candidates"], found["ignored"]) == (6, 1)
    assert found["selection"]["precision"] == found["selection"]["recall"] == 100


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"source": "umbrela", "annotator": "judge", "relevance_level": 4}, "the highest grade of source umbrela is 3"),
        ({"source": "rlhn", "annotator": "judge", "relevance_level": 2}, "the highest grade of source rlhn is 1"),
        ({"source": "relsel", "annotator": "judge", "relevance_level": 2}, "relevance_level"),
    ],
)
def test_a_level_that_no_grade_reaches_is_refused(labels: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        configuration(labels={"graded": {"pool": "pool", **labels}})


def test_a_union_has_the_highest_grade_and_refuses_two_scales(tmp_path: Path) -> None:
    files = []
    for name, grades in (("one", {"a": 3, "b": 1, "c": None}), ("two", {"a": 2, "b": 2, "c": 0})):
        label(tmp_path / name, {"q1": grades, "q2": {}})
        files.append(tmp_path / name / "labels.parquet")
    union = Labels(pool="pool", source="union", of=("one", "two"))
    make_labels(union, Parts([tmp_path / "one" / "pool" / "0000-of-0001.parquet"], members=files), tmp_path / "union")
    rows = LABELS.read(tmp_path / "union").to_pylist()
    assert {row["docid"]: row["label"] for row in rows if row["query_id"] == "q1"} == {
        "a": 3,
        "b": 2,
        "c": IGNORED,
        "d": 0,
    }
    graded, selected = ({"pool": "pool", "source": source, "annotator": "judge"} for source in ("umbrela", "relsel"))
    united = {"pool": "pool", "source": "union", "of": ["graded", "selected"]}
    with pytest.raises(InputError, match=r"labels\.united\.of: labels with grades up to 3 and up to 1"):
        configuration(labels={"graded": graded, "selected": selected, "united": united})
