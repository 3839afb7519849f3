"""The retrieval table: marks, standings, empty cells, formats."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import retrieval_table as script
from command_line import arguments

from utility_annotation.configuration import RetrievalTable
from utility_annotation.contracts import PER_QUERY
from utility_annotation.errors import InputError
from utility_annotation.files import write_json
from utility_annotation.reporting.tables import Cell, markdown, metric_name, read_csv, retrieval_table, write_csv

SETTINGS = RetrievalTable(
    title="Retrievers",
    backbones=("minilm",),
    runs=("human", "replug", "utilsel", "untrained"),
    testsets=("dev",),
)

# The differences from human are (.1, .2, .3, .4): t = .25 / (.12910 / 2) = 3.873 with 3 degrees of freedom, p = 0.0305.
HUMAN = [0.1, 0.2, 0.3, 0.2]
BETTER = [0.2, 0.4, 0.6, 0.6]


def write_results(folder: Path, values: dict[tuple[str, str], list[float]], metric: str = "mrr@10") -> tuple[Any, Any]:
    """Metrics and per-query files of (backbone, run) → per-query values on ``dev``."""
    metrics, per_query = [], []
    for (backbone, run), of_run in values.items():
        metrics.append(folder / backbone / f"{run}.json")
        per_query.append(folder / backbone / f"{run}.parquet")
        rows = [{"query_id": f"q{place}", "metric": metric, "value": value} for place, value in enumerate(of_run)]
        PER_QUERY.write(per_query[-1], PER_QUERY.rows(rows))
        write_json(
            metrics[-1],
            {
                "backbone": backbone,
                "run": run,
                "testset": "dev",
                "queries": len(of_run),
                "metrics": {metric: sum(of_run) / len(of_run)},
            },
        )
    return metrics, per_query


def cells(tmp_path: Path, values: dict[tuple[str, str], list[float]], **changes: Any) -> dict[tuple[str, str], Cell]:
    settings = SETTINGS.model_copy(update=changes)
    return {(cell.backbone, cell.run): cell for cell in retrieval_table(settings, *write_results(tmp_path, values))}


def test_rows_are_bm25_then_the_untrained_backbone_then_the_runs(tmp_path: Path) -> None:
    found = cells(tmp_path, {("minilm", "human"): HUMAN})
    assert list(found) == [
        ("bm25", "bm25"),
        ("minilm", "untrained"),
        ("minilm", "human"),
        ("minilm", "replug"),
        ("minilm", "utilsel"),
    ]


@pytest.mark.parametrize(
    ("ours", "marks"),
    [(BETTER, "+"), ([0.0, 0.05, 0.1, 0.02], "−"), ([0.1, 0.2, 0.3, 0.9], ""), (HUMAN, "")],
    ids=["better", "worse", "better by chance", "equal"],
)
def test_a_significant_difference_from_the_baseline_is_marked(tmp_path: Path, ours: list[float], marks: str) -> None:
    found = cells(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): ours})
    assert found["minilm", "utilsel"].marks == marks


def test_the_p_value_is_that_of_the_two_sided_paired_t_test(tmp_path: Path) -> None:
    found = cells(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER})
    assert found["minilm", "utilsel"].p_baseline == pytest.approx(0.030466, abs=1e-6)


def test_a_stricter_level_takes_the_mark_away(tmp_path: Path) -> None:
    values = {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    assert cells(tmp_path, values, significance_level=0.03)["minilm", "utilsel"].marks == ""


def test_a_dagger_marks_what_is_better_than_the_second_baseline(tmp_path: Path) -> None:
    values = {("minilm", "human"): BETTER, ("minilm", "replug"): HUMAN, ("minilm", "utilsel"): BETTER}
    found = cells(tmp_path, values)
    assert [found["minilm", run].marks for run in ("human", "replug", "utilsel")] == ["†", "−", "†"]


def test_worse_than_the_second_baseline_is_no_dagger(tmp_path: Path) -> None:
    values = {("minilm", "replug"): BETTER, ("minilm", "utilsel"): HUMAN}
    assert cells(tmp_path, values)["minilm", "utilsel"].marks == ""


def test_only_runs_of_the_same_backbone_are_compared(tmp_path: Path) -> None:
    values = {("bm25", "bm25"): BETTER, ("minilm", "human"): HUMAN, ("contriever", "utilsel"): BETTER}
    found = cells(tmp_path, values, backbones=("minilm", "contriever"))
    assert found["bm25", "bm25"].p_baseline is None
    assert found["contriever", "utilsel"].p_baseline is None


def test_without_baselines_nothing_is_marked(tmp_path: Path) -> None:
    values = {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    assert {cell.marks for cell in cells(tmp_path, values, baseline=None, second_baseline=None).values()} == {""}


def test_best_and_second_best_are_of_the_backbones_block(tmp_path: Path) -> None:
    values = {("bm25", "bm25"): [0.9] * 4, ("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    values |= {("minilm", "untrained"): [0.0] * 4, ("contriever", "human"): [0.1] * 4, ("contriever", "utilsel"): HUMAN}
    found = cells(tmp_path, values, backbones=("minilm", "contriever"))
    assert {row: cell.standing for row, cell in found.items() if cell.standing} == {
        ("minilm", "utilsel"): "best",
        ("minilm", "human"): "second",
        ("contriever", "utilsel"): "best",
        ("contriever", "human"): "second",
    }


def test_figures_that_look_equal_share_their_standing(tmp_path: Path) -> None:
    values = {("minilm", "human"): [0.50001], ("minilm", "replug"): [0.5], ("minilm", "utilsel"): [0.4]}
    found = cells(tmp_path, values)
    assert [found["minilm", run].standing for run in ("human", "replug", "utilsel")] == ["best", "best", "second"]


def test_a_cell_that_was_not_computed_is_empty(tmp_path: Path) -> None:
    cell = cells(tmp_path, {("minilm", "human"): HUMAN})["minilm", "utilsel"]
    assert cell == Cell("minilm", "utilsel", "dev", "mrr@10")
    assert cell.shown == ""


def test_metrics_are_ordered_by_name_and_depth(tmp_path: Path) -> None:
    write_json(
        tmp_path / "m.json",
        {
            "backbone": "bm25",
            "run": "bm25",
            "testset": "dev",
            "queries": 1,
            "metrics": {"recall@1000": 1.0, "recall@20": 0.5, "mrr@10": 0.5},
        },
    )
    settings = RetrievalTable(title="t", backbones=(), runs=(), testsets=("dev",), baseline=None, second_baseline=None)
    found = retrieval_table(settings, [tmp_path / "m.json"], [tmp_path / "none.parquet"])
    assert [cell.metric for cell in found] == ["mrr@10", "recall@20", "recall@1000"]


def test_markdown_shows_percent_with_one_decimal_bold_underlined_and_marked(tmp_path: Path) -> None:
    values = {("bm25", "bm25"): [0.2] * 4, ("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    lines = markdown(SETTINGS, list(cells(tmp_path, values).values())).splitlines()
    assert lines[0] == "## Retrievers"
    assert lines[2:9] == [
        "| backbone | run | dev MRR@10 |",
        "| --- | --- | ---: |",
        "|  | BM25 | 20.0 |",
        "| minilm | untrained |  |",
        "|  | human | <u>20.0</u> |",
        "|  | replug |  |",
        "|  | utilsel | **45.0**<sup>+</sup> |",
    ]
    assert "- Queries: dev 4." in lines


def test_csv_returns_the_same_cells(tmp_path: Path) -> None:
    values = {("minilm", "human"): HUMAN, ("minilm", "replug"): HUMAN, ("minilm", "utilsel"): BETTER}
    written = list(cells(tmp_path, values).values())
    write_csv(tmp_path / "table.csv", written)
    assert read_csv(tmp_path / "table.csv") == written


@pytest.mark.parametrize(
    ("testset", "run", "copies", "message"),
    [("test", "human", 1, "has no place"), ("dev", "utilrank", 1, "has no place"), ("dev", "human", 2, "given twice")],
)
def test_metrics_of_another_table_are_refused(
    tmp_path: Path, testset: str, run: str, copies: int, message: str
) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {"backbone": "minilm", "run": run, "testset": testset, "queries": 1, "metrics": {"mrr@10": 1.0}})
    with pytest.raises(InputError, match=rf"metrics\.json: .*{message}"):
        retrieval_table(SETTINGS, [path] * copies, [path] * copies)


def test_each_metrics_file_needs_its_per_query_file(tmp_path: Path) -> None:
    metrics, per_query = write_results(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER})
    with pytest.raises(InputError, match="2 metrics files stand beside 1 files of per-query values"):
        retrieval_table(SETTINGS, metrics, per_query[:1])


@pytest.mark.parametrize(("metric", "name"), [("ndcg@10", "nDCG@10"), ("mrr@10", "MRR@10"), ("rbp.8", "rbp.8")])
def test_metrics_are_named_as_in_papers(metric: str, name: str) -> None:
    assert metric_name(metric) == name


def test_the_script_writes_both_formats(tmp_path: Path) -> None:
    metrics, per_query = write_results(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER})
    script.main(
        arguments(
            settings=SETTINGS.model_dump(mode="json"),
            metrics=metrics,
            per_query=per_query,
            output_markdown=tmp_path / "t.md",
            output_csv=tmp_path / "t.csv",
        )
    )
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        lines = {line["run"]: line for line in csv.DictReader(file)}
    assert (lines["utilsel"]["percent"], lines["utilsel"]["marks"], lines["replug"]["percent"]) == ("45.0", "+", "")
    assert "**45.0**" in (tmp_path / "t.md").read_text(encoding="utf-8")
