"""The table of what labels cost beside what the models reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import table as script
from configured import write_configuration
from judged_pools import write_annotation, write_pool

from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import PER_QUERY
from utility_annotation.labels.cost import Records
from utility_annotation.reporting.cost_tables import cost_cells, cost_table
from utility_annotation.reporting.metrics import read_published
from utility_annotation.reporting.settings import CostTableSettings
from utility_annotation.reporting.tables import Table
from utility_annotation.reporting.writers import to_latex, to_markdown

PRICES = {"gpu_hour_usd": 0.8, "judgement_usd": 0.09}
POOL = {f"q{query}": [(f"d{place}", place == 0) for place in range(31)] for query in range(400)}
JUDGED = {"kind": "judgements", "pool": "p"}
ANSWERED = {"kind": "answers", "pool": "p"}
SELECTED = {"kind": "relsel", "pool": "p", "annotator": "llm"}
WORK: dict[str, Any] = {"human": [JUDGED], "useful": [SELECTED], "replug": [ANSWERED, SELECTED], "theirs": None}
HOURS = 53
PUBLISHED = Path(__file__).parents[2] / "resources" / "paper" / "published.csv"


def table(folder: Path, *trainings: str, testset: str = "dev", **changes: Any) -> Table:
    """The table of trainings on 400 queries × 31 passages, annotated by one job on 8 GPUs."""
    annotation = write_annotation(folder / "p" / "llm" / "relsel", {query: {} for query in POOL})
    job = {"prompt_tokens": 40_000, "new_tokens": 4_000, "engine_seconds": HOURS * 3600, "load_seconds": 0, "gpus": 8}
    write_json(annotation[0].with_suffix(".json"), job | {"earlier": None})
    metrics = [folder / "metrics" / f"{training}.json" for training in trainings]
    for path in metrics:
        values = {"mrr@10": 0.353, "recall@1000": 0.977}
        found = {"backbone": "b", "training": path.stem, "testset": testset, "queries": 9, "metrics": values}
        write_json(path, found)
        write_per_query(path, values)
    shown = {"title": "Cost", "backbone": "b", "trainings": trainings, "testset": "dev"} | changes
    work = {training: WORK[training] for training in trainings}
    settings = CostTableSettings.model_validate({"table": shown, "prices": PRICES, "work": work})
    records = Records(write_pool(folder / "p", POOL), annotation)
    paper = read_published(settings.table.published, PUBLISHED)
    return cost_table(settings.table, settings.prices, cost_cells(settings, records, metrics, paper))


def write_per_query(metrics: Path, values: dict[str, float]) -> None:
    """The values of two questions, beside a metrics file."""
    rows = [
        {"query_id": query_id, "metric": metric, "value": share * value}
        for metric, value in values.items()
        for query_id, share in (("q1", 0.98), ("q2", 1.02))
    ]
    PER_QUERY.write(metrics.with_suffix(".per-query.parquet"), PER_QUERY.rows(rows))


def rows(table: Table) -> list[list[str]]:
    """The Markdown table's rows, its headings first."""
    lines = [line for line in to_markdown(table).splitlines() if line.startswith("| ")]
    return [[text.strip() for text in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_a_row_per_training_with_cost_hours_and_metrics(tmp_path: Path) -> None:
    assert rows(table(tmp_path, "human", "useful", "replug")) == [
        ["training", "Cost (USD)", "GPU hours", "dev<br>MRR@10", "dev<br>Recall@1000"],
        ["human", "1,116", "0.00", "35.3", "97.7"],
        ["useful", "339", "424.00", "35.3", "97.7"],
        ["replug", "375", "424.00", "35.3", "97.7"],
    ]


def test_metrics_have_intervals_and_costs_have_none(tmp_path: Path) -> None:
    cells = table(tmp_path, "human").cells.set_index("metric")
    assert cells.loc["cost_usd", ["low", "high"]].isna().all()
    assert 34.5 < cells.loc["mrr@10", "low"] < 35.3 < cells.loc["mrr@10", "high"] < 36.1


def test_small_costs_are_shown_to_the_cent(tmp_path: Path) -> None:
    assert rows(table(tmp_path, "useful"))[1][1] == "339.20"


def test_labels_from_a_file_have_no_cost(tmp_path: Path) -> None:
    assert rows(table(tmp_path, "theirs"))[1] == ["theirs", "", "", "35.3", "97.7"]


def test_the_papers_figures_stand_beside_ours_its_hours_as_gpu_hours(tmp_path: Path) -> None:
    found = rows(table(tmp_path, "replug", published="17"))
    assert found[1] == [
        "replug",
        "375.20<br><small>44,639.00 (−44,263.80)</small>",
        "424.00<br><small>560.00 (−136.00)</small>",
        "35.3<br><small>33.8 (+1.5)</small>",
        "97.7<br><small>94.7 (+3.0)</small>",
    ]


def test_all_formats_say_the_same(tmp_path: Path) -> None:
    found = table(tmp_path, "human", "useful")
    costs = found.cells[found.cells["metric"] == "cost_usd"].set_index("training")
    assert costs.loc["human", "value"] == 1116.0
    assert r"human & 1,116 & 0.00 & 35.3 & 97.7 \\" in to_latex(found)


def test_the_script_reads_the_pool_the_jobs_and_the_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_pool(Path("results/pools/p"), POOL, shards=2)
    figures: dict[str, Any] = {"backbone": "minilm", "training": "human", "testset": "dev", "queries": 9}
    figures["metrics"] = {"mrr@10": 0.5}
    write_json(Path("results/metrics/minilm/human/dev.json"), figures)
    write_per_query(Path("results/metrics/minilm/human/dev.json"), figures["metrics"])
    shown = {"title": "Cost", "backbone": "minilm", "trainings": ["human"], "testset": "dev"}
    file = write_configuration(tmp_path, cost_tables={"cost": shown})
    script.main(["costs", "--config", file, "--table", "cost", "--published", "--output", "t.md"])
    assert "| human" in Path("t.md").read_text()
    assert "human,0,,,cost_usd,,1116.0,0" in Path("t.csv").read_text()
