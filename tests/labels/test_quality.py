"""Label quality against human positives."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import label as script
import pytest
from command_line import arguments, write_configuration
from judged_pools import Pool, write_annotation, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json
from utility_annotation.io.label_values import IGNORED
from utility_annotation.io.schemas import LABELS
from utility_annotation.labels.quality import QualitySettings, label_quality

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


RELEVANCE = {
    "q1": {"docids": ["b", "a"]},
    "q2": {"outcome": "empty", "docids": []},  # so the next stage is shown the whole pool
    "q3": {"docids": ["c", "a", "b"]},
    "q4": {"outcome": "truncated"},
}


def quality(
    tmp_path: Path,
    source: str,
    labels: dict[str, dict[str, float]],
    relevance: dict[str, dict[str, Any]] = RELEVANCE,
    shards: int = 2,
    pool: Pool = POOL,
    annotation: dict[str, dict[str, Any]] = ANNOTATION,
) -> dict[str, Any]:
    rows = [
        {"query_id": query_id, "docid": docid, "label": label, "source": source}
        for query_id, of_query in labels.items()
        for docid, label in of_query.items()
    ]
    LABELS.write(tmp_path / "labels.parquet", LABELS.rows(rows))
    narrowed = source in ("utilsel", "utilrank")
    return label_quality(
        QualitySettings(labels="mine", source=source, annotator="llm"),
        tmp_path / "labels.parquet",
        write_pool(tmp_path / "pool", pool, shards),
        write_annotation(tmp_path / "annotation", annotation, shards),
        write_annotation(tmp_path / "relevance", relevance, shards) if narrowed else [],
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
        "completed": None,
        "whole_pool": 1,
        "prompt_tokens": 400,
        "completion_tokens": 40,
    }


def test_rankings_that_name_only_some_of_the_passages_are_counted(tmp_path: Path) -> None:
    rows: dict[str, dict[str, Any]] = {
        "q1": {"docids": ["b", "a"], "named": 1},
        "q2": {"docids": ["c", "a", "b"], "named": 3},
        "q3": {"docids": ["c", "a", "b"], "named": 2},
        "q4": {"outcome": "error"},
    }
    assert quality(tmp_path, "utilrank", SELECTED, annotation=rows)["annotation"]["completed"] == 2


def test_nothing_selected_anywhere_has_no_precision(tmp_path: Path) -> None:
    selection = quality(tmp_path, "utilsel", {"q1": {"a": 0, "b": 0, "c": 0}})["selection"]
    assert (selection["precision"], selection["recall"]) == (None, 0)


def test_a_pool_without_human_labels_is_compared_with_nobody(tmp_path: Path) -> None:
    unmarked = {query_id: [(docid, False) for docid, _ in candidates] for query_id, candidates in POOL.items()}
    found = quality(tmp_path, "utilsel", SELECTED, pool=unmarked)
    assert found["agreement"] is None
    assert found["selection"]["precision"] is found["selection"]["recall"] is None
    assert found["selection"]["positives_per_query"] > 0


def test_agreement_counts_every_candidate_of_the_labelled_queries(tmp_path: Path) -> None:
    agreement = quality(tmp_path, "utilsel", SELECTED)["agreement"]
    assert agreement["passages"] == {"both": 3, "llm_only": 2, "human_only": 1, "neither": 3}
    chance = (5 * 4 + 4 * 5) / 81
    assert agreement["kappa"] == pytest.approx((6 / 9 - chance) / (1 - chance))
    assert agreement["kappa_max"] == pytest.approx((8 / 9 - chance) / (1 - chance))


def test_utility_selection_given_the_truth_is_shown_the_whole_pool(tmp_path: Path) -> None:
    found = quality(tmp_path, "utilsel-truth", SELECTED)
    assert found["positions"]["by_position"]["shown"] == [3, 3, 3]
    assert found["positions"] == quality(tmp_path / "relsel", "relsel", SELECTED)["positions"]
    assert found["annotation"]["queries"] == 4


@pytest.mark.parametrize("source", ["union", "file"])
def test_labels_that_no_stage_made_have_a_selection_and_agreement_but_no_positions(tmp_path: Path, source: str) -> None:
    selected = quality(tmp_path, "utilsel", SELECTED)
    pools = sorted((tmp_path / "pool").iterdir())
    found = label_quality(QualitySettings(labels="mine", source=source), tmp_path / "labels.parquet", pools, [])
    assert (found["selection"], found["agreement"]) == (selected["selection"], selected["agreement"])
    assert (found["positions"], found["ranking"], found["annotation"]) == (None, None, None)


@pytest.mark.parametrize("source", ["human", "replug"])
def test_what_is_no_selection_of_an_llm_has_neither_agreement_nor_positions(tmp_path: Path, source: str) -> None:
    found = quality(tmp_path, source, SELECTED)
    assert (found["agreement"], found["positions"]) == (None, None)


def test_a_relevance_selection_is_shown_the_pool_in_its_order(tmp_path: Path) -> None:
    by_position = quality(tmp_path, "relsel", SELECTED)["positions"]["by_position"]
    assert by_position["shown"] == [3, 3, 3]
    assert by_position["selected"]["observed"] == [2, 2, 1]
    assert by_position["human"]["observed"] == [2, 1, 1]


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_a_utility_selection_is_shown_what_relevance_kept_in_the_pools_order(tmp_path: Path, shards: int) -> None:
    labels = {
        "q1": {"a": 0, "b": 1, "c": 0},  # shown a (human), b
        "q2": {"a": 1, "b": 0, "c": 0},  # shown a, b (human), c (human)
        "q3": {"a": 0, "b": 0, "c": 1},  # shown b, c
    }
    relevance = RELEVANCE | {"q3": {"docids": ["c", "b"]}}
    found = quality(tmp_path, "utilsel", labels, relevance, shards)["positions"]
    assert found["by_position"]["shown"] == [3, 3, 1]
    assert found["by_position"]["selected"]["observed"] == [1, 2, 0]
    assert found["by_position"]["human"]["observed"] == [1, 1, 1]
    means = {name: relative["mean"] for name, relative in found["relative"].items()}
    assert means == pytest.approx(
        {"shown": 0.5, "selected": (1 + 0 + 1) / 3, "human": (0 + 1 / 2 + 1) / 3, "human_in_pool": (0 + 1 / 2 + 1) / 4}
    )


@pytest.mark.parametrize(
    ("labels", "relevance", "message"),
    [
        ({"q1": {"b": 0, "a": 1, "c": 0}}, RELEVANCE, r"labels\.parquet: these are not the candidates of pool shard"),
        ({"q1": {"a": 1, "b": 0}}, RELEVANCE, r"labels\.parquet: these are not the candidates of pool shard"),
        ({"q1": {"a": 1, "b": 0, "c": 0}, "q9": {"a": 1}}, RELEVANCE, r"labels\.parquet: query 'q9' is labelled"),
        (SELECTED, {"q1": RELEVANCE["q1"]}, r"relevance/.*: query q2 of the pool is not annotated here"),
        (SELECTED, RELEVANCE | {"q1": {"docids": ["a", "z"]}}, r"relevance/.*: it selects passages that are not in"),
        (SELECTED, RELEVANCE | {"q1": {"docids": ["a"]}}, r"relevance/.*: passage b is labelled positive"),
    ],
    ids=["order", "missing candidate", "unknown query", "not annotated", "unknown passage", "never shown"],
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, labels: dict[str, dict[str, float]], relevance: dict[str, dict[str, Any]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        quality(tmp_path, "utilsel", labels, relevance, shards=1)


def test_a_utility_selection_without_its_relevance_selection_is_refused(tmp_path: Path) -> None:
    quality(tmp_path, "relsel", SELECTED)
    settings = QualitySettings(labels="mine", source="utilsel", annotator="llm")
    pools, annotations = (sorted((tmp_path / name).iterdir()) for name in ("pool", "annotation"))
    with pytest.raises(InputError, match="labels of source utilsel need a relevance selection"):
        label_quality(settings, tmp_path / "labels.parquet", pools, annotations)


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


def run_script(folder: Path, labels: dict[str, dict[str, str]], shards: int) -> Any:
    """The figures that the script writes of the label set ``mine``, whose files lie in ``folder``."""
    results = folder / "results"
    config = write_configuration(
        folder / "config.yaml",
        pools={"pool": {"dataset": "data", "source": {"path": "rows.jsonl"}, "shards": shards}},
        labels=labels,
    )
    for place in ("pools", "annotation/pool/judge", "labels"):
        (results / place).mkdir(parents=True)
    (folder / "pool").rename(results / "pools" / "pool")
    (folder / "labels.parquet").rename(results / "labels" / "mine.parquet")
    for place, stage in (("annotation", "utilsel"), ("relevance", "relsel")):
        if (folder / place).is_dir():
            (folder / place).rename(results / "annotation" / "pool" / "judge" / stage)
    script.main(arguments("quality", config=config, labels="mine", output=folder / "quality.json"))
    return read_json(folder / "quality.json")


def test_the_script_writes_what_the_function_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = quality(tmp_path, "utilsel", SELECTED)
    labels = {"mine": {"pool": "pool", "source": "utilsel", "annotator": "judge"}}
    assert run_script(tmp_path, labels, shards=2) == expected | {"annotator": "judge"}


def test_the_script_writes_human_labels_quality_without_annotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"query_id": "q1", "docid": docid, "label": docid == "a", "source": "human"} for docid in "abc"]
    LABELS.write(tmp_path / "labels.parquet", LABELS.rows(rows))
    write_pool(tmp_path / "pool", POOL)
    found = run_script(tmp_path, {"mine": {"pool": "pool", "source": "human"}}, shards=1)
    assert (found["selection"]["precision"], found["selection"]["recall"], found["annotation"]) == (100, 100, None)


WITH_DOUBTS = {
    "q1": {"a": 1, "b": IGNORED, "c": 0},
    "q2": {"a": 0, "b": IGNORED, "c": 1},
    "q3": {"a": 0, "b": 0, "c": 0},
}


def test_what_is_ignored_is_counted_and_left_out_of_every_comparison(tmp_path: Path) -> None:
    """Of four human positives one is ignored; of the other three, two are positive."""
    found = quality(tmp_path, "utilsel", WITH_DOUBTS)
    assert (found["candidates"], found["human_positives"]) == (9, 4)
    assert (found["ignored"], found["human_ignored"]) == (2, 1)
    assert found["selection"]["precision"] == 100
    assert found["selection"]["recall"] == pytest.approx(100 * 2 / 3)
    assert found["selection"]["distribution"] == [1, 2]
    assert found["agreement"]["passages"] == {"both": 2, "llm_only": 0, "human_only": 1, "neither": 4}


def test_a_label_set_whose_human_positives_are_all_ignored_is_compared_with_nothing(tmp_path: Path) -> None:
    labels = {"q1": {"a": IGNORED, "b": 1, "c": 0}}
    found = quality(tmp_path, "utilsel", labels)
    assert (found["human_ignored"], found["agreement"]) == (1, None)
    assert (found["selection"]["precision"], found["selection"]["recall"]) == (None, None)


def test_a_likelihood_is_never_taken_for_an_ignored_passage(tmp_path: Path) -> None:
    labels = {"q1": {"a": IGNORED, "b": -2.0, "c": -3.0}}
    found = quality(tmp_path, "replug", labels)
    assert (found["ignored"], found["human_ignored"]) == (0, 0)
    assert found["ranking"]["human_first"] == 100
