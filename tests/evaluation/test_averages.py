"""Averages of test sets: each counts the same, also through an average within."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import average_metrics as script
import pytest
from command_line import arguments

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json, write_json
from utility_annotation.evaluation.averages import average
from utility_annotation.io.schemas import PER_QUERY


def evaluated(folder: Path, testset: str, values: list[float], **changes: Any) -> tuple[Path, Path]:
    """A metrics file and its per-query values."""
    rows = [{"query_id": f"q{place}", "metric": "ndcg@10", "value": value} for place, value in enumerate(values)]
    PER_QUERY.write(folder / f"{testset}.parquet", PER_QUERY.rows(rows))
    figures = {
        "backbone": "b",
        "training": "r",
        "testset": testset,
        "queries": len(values),
        "queries_missing_from_run": 1,
        "metrics": {"ndcg@10": sum(values) / len(values), testset: 1.0},
    }
    write_json(folder / f"{testset}.json", figures | changes)
    return folder / f"{testset}.json", folder / f"{testset}.parquet"


def test_test_sets_count_the_same_whatever_their_size_and_depth(tmp_path: Path) -> None:
    forums = [evaluated(tmp_path, "android", [1.0]), evaluated(tmp_path, "tex", [0.0, 0.5])]
    script.main(
        arguments(
            settings={"average": "forums"},
            metrics=[metrics for metrics, _ in forums],
            per_query=[values for _, values in forums],
            output=tmp_path / "forums.json",
            output_per_query=tmp_path / "forums.parquet",
        )
    )
    members = [evaluated(tmp_path, "nq", [0.25]), (tmp_path / "forums.json", tmp_path / "forums.parquet")]
    figures, values = average("beir", *zip(*members, strict=True))
    assert figures["metrics"] == {"ndcg@10": (0.25 + (1.0 + 0.25) / 2) / 2}
    assert figures["weights"] == {"nq": 0.5, "android": 0.25, "tex": 0.25}
    assert (figures["queries"], figures["queries_missing_from_run"], figures["testset"]) == (4, 3, "beir")
    assert values["query_id"].to_pylist() == ["nq/q0", "android/q0", "tex/q0", "tex/q1"]
    assert set(values["metric"].to_pylist()) == {"ndcg@10"}
    forums_read: Any = read_json(tmp_path / "forums.json")
    assert forums_read["metrics"] == {"ndcg@10": 0.625}


def test_several_trainings_have_no_average(tmp_path: Path) -> None:
    members = [evaluated(tmp_path, "nq", [1.0]), evaluated(tmp_path, "tex", [1.0], training="other")]
    with pytest.raises(InputError, match="of one training, and these are of 2"):
        average("a", *zip(*members, strict=True))


def test_metrics_that_no_two_share_have_no_average(tmp_path: Path) -> None:
    members = [evaluated(tmp_path, "nq", [1.0]), evaluated(tmp_path, "tex", [1.0], metrics={"mrr@10": 1.0})]
    with pytest.raises(InputError, match="no metric in common"):
        average("a", *zip(*members, strict=True))


def test_a_test_set_counts_once(tmp_path: Path) -> None:
    member = evaluated(tmp_path, "nq", [1.0])
    with pytest.raises(InputError, match="'nq' stands twice"):
        average("a", *zip(member, member, strict=True))
