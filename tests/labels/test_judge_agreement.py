"""How far judges agree: on passages, and on which retriever is better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import LABELS, QRELS
from utility_annotation.labels.agreement import krippendorff_alpha
from utility_annotation.labels.judges import agreement
from utility_annotation.labels.settings import PEOPLE, JudgedAlike

GAP = float("nan")
OBSERVED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
        [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
    ]
)
"""Four observers and twelve units (Krippendorff 2011, part C)."""


def test_alpha_is_krippendorffs_own_example_with_missing_ratings() -> None:
    """Nominal ratings: 0.743."""
    assert krippendorff_alpha(OBSERVED) == pytest.approx(0.743, abs=5e-4)


def test_ordinal_alpha_is_krippendorffs_own_example() -> None:
    """The same ratings as ordinal ones (part D): 0.815."""
    assert krippendorff_alpha(OBSERVED, ordinal=True) == pytest.approx(0.815, abs=5e-4)


def test_alpha_is_krippendorffs_binary_example() -> None:
    """Two observers and ten units (part A): alpha 0.095."""
    ratings = np.array([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]], float)
    assert krippendorff_alpha(ratings) == pytest.approx(0.095, abs=5e-4)


@pytest.mark.parametrize("ratings", [np.ones((2, 4)), np.array([[1, GAP], [GAP, 0]]), np.empty((2, 0))])
def test_alpha_of_ratings_that_cannot_differ_is_not_defined(ratings: np.ndarray) -> None:
    assert krippendorff_alpha(ratings) is None


def write_labels(path: Path, labels: dict[tuple[str, str], float]) -> Path:
    rows = [
        {"query_id": query_id, "docid": docid, "label": label, "rank": None, "source": "utilsel"}
        for (query_id, docid), label in labels.items()
    ]
    LABELS.write(path, LABELS.rows(rows))
    return path


def write_metrics(folder: Path, testset: str, figures: dict[str, float]) -> list[Path]:
    paths = []
    for training, value in figures.items():
        paths.append(folder / f"{training}-{testset}.json")
        found: dict[str, Any] = {"backbone": "b", "training": training, "testset": testset, "queries": 2}
        write_json(paths[-1], found | {"metrics": {"ndcg@10": value}})
    return paths


def test_judges_are_compared_on_what_both_judged(tmp_path: Path) -> None:
    """q2 has no judgement of people, and q3 none of the second LLM: 4 passages have two judges and 2 have three."""
    one = {("q1", "a"): 1.0, ("q1", "b"): 0.0, ("q2", "a"): 1.0, ("q2", "b"): 0.0}
    files = {
        "llm": write_labels(tmp_path / "llm.parquet", one),
        "judge": write_labels(tmp_path / "judge.parquet", one | {("q2", "b"): 1.0}),
    }
    QRELS.write(tmp_path / "qrels.parquet", QRELS.rows([{"query_id": "q1", "docid": "b", "grade": 2}]))
    metrics = write_metrics(tmp_path, "first", {"x": 0.1, "y": 0.2, "z": 0.3})
    metrics += write_metrics(tmp_path, "second", {"x": 0.2, "y": 0.1, "z": 0.5})
    alike = JudgedAlike(judges={"first": "llm", "second": "judge", "third": PEOPLE}, relevance_level=2)
    found = agreement(alike, files, tmp_path / "qrels.parquet", metrics)
    assert found["passages"] == 4
    by_pair = {(pair["first"], pair["second"]): pair for pair in found["pairs"]}
    assert by_pair["llm", "judge"]["kappa"] == pytest.approx(0.5)
    assert by_pair["llm", PEOPLE]["kappa"] == pytest.approx(-1)
    assert by_pair["llm", "judge"]["order"] == {"ndcg@10": pytest.approx(1 / 3)}
    assert by_pair["llm", PEOPLE]["order"] == {}


def test_a_judge_that_does_not_know_the_questions_is_an_error(tmp_path: Path) -> None:
    files = {
        "llm": write_labels(tmp_path / "llm.parquet", {("q1", "a"): 1.0}),
        "judge": write_labels(tmp_path / "judge.parquet", {("q9", "a"): 1.0}),
    }
    alike = JudgedAlike(judges={"first": "llm", "second": "judge"}, relevance_level=1)
    with pytest.raises(InputError, match="llm and judge judge no passage in common, though test sets first and second"):
        agreement(alike, files, None, [])
