"""Grades of labels beside those of people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import configuration

from utility_annotation.common.errors import InputError
from utility_annotation.io.label_values import IGNORED
from utility_annotation.io.schemas import LABELS, POOL, QRELS
from utility_annotation.labels.against_grades import agreement_of_grades, quadratic_kappa
from utility_annotation.planning import labels

PEOPLE = [
    *(3, 1, 0, 1, 1, 3, 1, 0, 1, 2, 3, 2, 3, 0, 3, 0, 2, 1, 0, 2, 1, 2, 1, 0, 2, 1, 2, 2, 3, 1),
    *(0, 2, 3, 3, 3, 2, 1, 1, 0, 0),
]
OURS = [
    *(2, 1, 0, 1, 2, 3, 2, 1, 2, 1, 3, 3, 2, 0, 3, 1, 3, 0, 0, 1, 2, 1, 1, 1, 2, 2, 2, 3, 3, 1),
    *(0, 2, 3, 3, 3, 2, 1, 2, 0, 0),
]
KAPPA = 0.8005540166204986
"""scikit-learn's cohen_kappa_score(PEOPLE, OURS, weights="quadratic")."""


def compared(folder: Path, people: dict[str, int], ours: dict[str, float], texts: dict[str, str]) -> dict[str, Any]:
    """All of one question, "who sails the ship?", except that ids name another one before a colon."""

    def pair(name: str) -> dict[str, str]:
        query_id, _, docid = name.rpartition(":")
        return {"query_id": query_id or "q", "docid": docid}

    LABELS.write(
        folder / "labels.parquet",
        LABELS.rows([pair(name) | {"label": label, "source": "umbrela"} for name, label in ours.items()]),
    )
    QRELS.write(folder / "qrels.parquet", QRELS.rows([pair(name) | {"grade": grade} for name, grade in people.items()]))
    queries: dict[str, list[dict[str, Any]]] = {}
    for name, text in texts.items():
        found = pair(name)
        candidate = {"docid": found["docid"], "title": None, "text": text, "human": False, "rank": 1}
        queries.setdefault(found["query_id"], []).append(candidate)
    rows = [{"query_id": name, "query": "who sails the ship?", "candidates": each} for name, each in queries.items()]
    POOL.write(folder / "pool.parquet", POOL.rows(rows))
    return agreement_of_grades(folder / "labels.parquet", [folder / "pool.parquet"], folder / "qrels.parquet")


def test_kappa_is_that_of_scikit_learn(tmp_path: Path) -> None:
    names = [f"q{number % 8}:d{number:02d}" for number in range(len(PEOPLE))]
    found = compared(
        tmp_path,
        dict(zip(names, PEOPLE, strict=True)),
        dict(zip(names, map(float, OURS), strict=True)),
        dict.fromkeys(names, "a text"),
    )
    assert found["kappa"] == pytest.approx(KAPPA)
    low, high = found["kappa_interval"]
    assert low < KAPPA < high
    assert (found["questions"], found["passages"]) == (8, 40)
    assert np.array(found["confusion"]).sum() == 40
    assert np.array(found["confusion"])[3].sum() == PEOPLE.count(3)
    assert found["difference"] == pytest.approx(np.mean(OURS) - np.mean(PEOPLE))
    assert found["alpha"] > 0.7


def test_what_is_ignored_or_not_graded_by_people_is_not_compared(tmp_path: Path) -> None:
    ours = {"a": 3.0, "b": IGNORED, "c": 1.0}
    found = compared(tmp_path, {"a": 3, "b": 2}, ours, dict.fromkeys(ours, "a text"))
    assert (found["passages"], found["ignored"]) == (1, 1)
    assert found["kappa"] is None  # both give one and the same grade


def test_grades_of_people_are_brought_to_the_scale(tmp_path: Path) -> None:
    found = compared(tmp_path, {"a": -2, "b": 4}, {"a": 0.0, "b": 3.0}, {"a": "x", "b": "y"})
    assert found["kappa"] == 1


def test_probes_show_that_long_passages_with_the_words_are_overrated(tmp_path: Path) -> None:
    texts = {f"short{number}": "nothing here" for number in range(4)}
    texts |= {f"middle{number}": "the ship is a vessel of the sea" for number in range(4)}
    texts |= {f"long{number}": "a ship sails, and it " + "sails on " * 20 for number in range(4)}
    people = dict.fromkeys(texts, 1)
    ours = {name: 3.0 if name.startswith("long") else 1.0 for name in texts}
    found = compared(tmp_path, people, ours, texts)["probes"]
    for probe in ("words", "shared"):
        parts = found[probe]
        assert [part["labels"] for part in parts] == [1, 1, 3]
        assert {part["people"] for part in parts} == {1}
        assert [part["passages"] for part in parts] == [4, 4, 4]
    assert (found["shared"][0]["low"], found["shared"][2]["high"]) == (0, 1)


def test_labels_that_people_did_not_grade_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="people graded no candidate that 'labels' grade"):
        compared(tmp_path, {"x": 1}, {"a": 1.0}, {"a": "text"})


def test_kappa_without_any_difference_to_expect_is_not_defined() -> None:
    assert quadratic_kappa(np.diag([5, 0, 0, 0])) is None


def test_likelihoods_and_pools_without_judgements_have_no_people_to_compare_with() -> None:
    stages = {source: {"pool": "pool", "source": source, "annotator": "judge"} for source in ("umbrela", "replug")}
    known = configuration(labels=stages)
    assert labels.people(known, labels="umbrela") == ["data/data/qrels/train.parquet"]
    with pytest.raises(InputError, match="replug cannot be compared with people: they are likelihoods"):
        labels.people(known, labels="replug")
