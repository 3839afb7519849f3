"""Averages of test sets: each counts the same, also through an average within."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import evaluate as script
import pytest
from command_line import arguments, write_configuration

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json, write_json
from utility_annotation.evaluation.averages import average
from utility_annotation.io.schemas import PER_QUERY


def evaluated(folder: Path, testset: str, values: list[float], **changes: Any) -> tuple[Path, Path]:
    """A metrics file and its per-query values."""
    rows = [{"query_id": f"q{place}", "metric": "ndcg@10", "value": value} for place, value in enumerate(values)]
    PER_QUERY.write(folder / f"{testset}.per-query.parquet", PER_QUERY.rows(rows))
    figures = {
        "backbone": "b",
        "training": "r",
        "testset": testset,
        "queries": len(values),
        "queries_missing_from_run": 1,
        "metrics": {"ndcg@10": sum(values) / len(values), testset: 1.0},
    }
    write_json(folder / f"{testset}.json", figures | changes)
    return folder / f"{testset}.json", folder / f"{testset}.per-query.parquet"


def test_test_sets_count_the_same_whatever_their_size_and_depth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("results/metrics/b/r")
    evaluated(folder, "android", [1.0])
    evaluated(folder, "tex", [0.0, 0.5])
    config = write_configuration(
        Path("config.yaml"),
        testsets={name: {"dataset": "data", "split": "train"} for name in ("android", "tex")},
        averages={"forums": {"testsets": ["android", "tex"]}},
    )
    script.main(arguments("average", config=config, retriever="b/r", average="forums", output=tmp_path / "forums.json"))
    members = [evaluated(tmp_path, "nq", [0.25]), (tmp_path / "forums.json", tmp_path / "forums.per-query.parquet")]
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
    with pytest.raises(InputError, match="'nq' is twice"):
        average("a", *zip(member, member, strict=True))
