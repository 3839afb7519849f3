"""Label quality against human positives."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import label_quality as script
import pytest
from command_line import arguments
from judged_pools import write_annotation, write_pool

from utility_annotation.contracts import LABELS
from utility_annotation.files import read_json
from utility_annotation.quality import QualitySettings, label_quality

POOL = {
    "q1": [("a", True), ("b", False), ("c", False)],
    "q2": [("a", False), ("b", True), ("c", True)],
    "q3": [("a", True), ("b", False), ("c", False)],
    "q4": [("a", True), ("b", False), ("c", False)],  # its reply failed: it has no labels
}
ANNOTATION = {
    "q1": {"docids": ["a", "b"]},
    "q2": {"docids": ["a", "b", "c"], "whole_pool": True},
    "q3": {"outcome": "empty", "docids": []},
    "q4": {"outcome": "unparsable"},
}


def quality(tmp_path: Path, source: str, labels: dict[str, dict[str, float]]) -> dict[str, Any]:
    rows = [
        {"query_id": query_id, "docid": docid, "label": label, "source": source}
        for query_id, of_query in labels.items()
        for docid, label in of_query.items()
    ]
    LABELS.write(tmp_path / "labels.parquet", LABELS.rows(rows))
    return label_quality(
        QualitySettings(labels="mine", source=source, annotator="llm"),
        tmp_path / "labels.parquet",
        write_pool(tmp_path / "pool", POOL, shards=2),
        write_annotation(tmp_path / "annotation", ANNOTATION, shards=2),
    )


SELECTED = {
    "q1": {"a": 1, "b": 1, "c": 0},
    "q2": {"a": 1, "b": 1, "c": 1},
    "q3": {"a": 0, "b": 0, "c": 0},
}


def test_precision_and_recall_count_over_all_queries_together(tmp_path: Path) -> None:
    selection = quality(tmp_path, "utilsel", SELECTED)["selection"]
    assert selection["precision"] == pytest.approx(100 * 3 / 5)
    assert selection["recall"] == pytest.approx(100 * 3 / 4)


def test_an_empty_selection_counts_in_the_mean_and_the_distribution(tmp_path: Path) -> None:
    selection = quality(tmp_path, "utilsel", SELECTED)["selection"]
    assert selection["positives_per_query"] == pytest.approx(5 / 3)
    assert selection["distribution"] == [1, 0, 1, 1]


def test_annotation_is_counted_over_all_shards(tmp_path: Path) -> None:
    assert quality(tmp_path, "utilsel", SELECTED)["annotation"] == {
        "queries": 4,
        "outcomes": {"ok": 2, "empty": 1, "unparsable": 1, "truncated": 0, "error": 0},
        "whole_pool": 1,
        "prompt_tokens": 400,
        "completion_tokens": 40,
    }


def test_nothing_selected_anywhere_has_no_precision(tmp_path: Path) -> None:
    selection = quality(tmp_path, "utilsel", {"q1": {"a": 0, "b": 0, "c": 0}})["selection"]
    assert (selection["precision"], selection["recall"]) == (None, 0)


def test_replug_is_judged_by_the_rank_of_the_best_human_positive(tmp_path: Path) -> None:
    scores = {
        "q1": {"a": -1.0, "b": -2.0, "c": -3.0},  # first
        "q2": {"a": -1.0, "b": -3.0, "c": -2.0},  # the better of two human positives is second
        "q3": {"a": -1.0, "b": -1.0, "c": -1.0},  # tied with all: last
    }
    found = quality(tmp_path, "replug", scores)
    assert found["selection"] is None
    assert found["ranking"] == {
        "human_first": pytest.approx(100 / 3),
        "human_mean_reciprocal_rank": pytest.approx(100 * (1 + 1 / 2 + 1 / 3) / 3),
        "human_mean_rank": pytest.approx(2),
    }


def test_counting_over_all_queries_is_what_the_papers_table_1_does(shared_data: Path) -> None:
    """With one human positive a query, precision · positives a query = recall, up to the paper's rounding."""
    path = shared_data.parent / "paper" / "annotation.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            precision, recall, mean = (
                float(line[name])
                for name in ("precision_of_human_positive", "recall_of_human_positive", "positives_per_query")
            )
            assert (precision - 0.05) * (mean - 0.08) <= recall + 0.05
            assert (precision + 0.05) * (mean + 0.08) >= recall - 0.05


def test_the_script_writes_human_labels_quality_without_annotation(tmp_path: Path) -> None:
    rows = [{"query_id": "q1", "docid": docid, "label": docid == "a", "source": "human"} for docid in "abc"]
    LABELS.write(tmp_path / "labels.parquet", LABELS.rows(rows))
    pools = write_pool(tmp_path / "pool", POOL)
    script.main(
        arguments(
            settings={"labels": "human", "source": "human"},
            labels=tmp_path / "labels.parquet",
            pool=pools,
            annotation=[],
            output=tmp_path / "quality.json",
        )
    )
    found: Any = read_json(tmp_path / "quality.json")
    assert (found["selection"]["precision"], found["selection"]["recall"], found["annotation"]) == (100, 100, None)
