"""The table of what labels cost beside what the models reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from judged_pools import write_annotation, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import write_json, write_text
from utility_annotation.labels.cost import Records
from utility_annotation.reporting.cost_tables import CostTableSettings, cost_table
from utility_annotation.reporting.published import figures_beside

PRICES = {"gpu_hour_usd": 0.8, "judgement_usd": 0.09}
POOL = {f"q{query}": [(f"d{place}", place == 0) for place in range(31)] for query in range(400)}
JUDGED = {"kind": "judgements", "pool": "p"}
ANSWERED = {"kind": "answers", "pool": "p"}
SELECTED = {"kind": "relsel", "pool": "p", "annotator": "llm"}
WORK: dict[str, Any] = {"human": [JUDGED], "useful": [SELECTED], "replug": [ANSWERED, SELECTED], "theirs": None}
HOURS = 53
PUBLISHED = Path(__file__).parents[2] / "resources" / "paper" / "published.csv"


def written(folder: Path, *trainings: str, testset: str = "dev", seconds: float = HOURS * 3600, **changes: Any) -> Path:
    """The table of trainings on 400 queries × 31 passages, annotated by one job on 8 GPUs."""
    annotation = write_annotation(folder / "p" / "llm" / "relsel", {query: {} for query in POOL})
    job = {"prompt_tokens": 40_000, "new_tokens": 4_000, "engine_seconds": seconds, "load_seconds": 0, "gpus": 8}
    job["earlier"] = None
    write_json(annotation[0].with_suffix(".json"), job)
    metrics = [folder / "metrics" / f"{training}.json" for training in trainings]
    for path in metrics:
        values = {"mrr@10": 0.353, "recall@1000": 0.977}
        found = {"backbone": "b", "training": path.stem, "testset": testset, "queries": 9, "metrics": values}
        write_json(path, found)
    table = {"title": "Cost", "backbone": "b", "trainings": trainings, "testset": "dev"} | changes
    settings = {"table": table, "prices": PRICES, "work": {training: WORK[training] for training in trainings}}
    records = Records(write_pool(folder / "p", POOL), annotation)
    paper = figures_beside(changes.get("published"), PUBLISHED)
    made = cost_table(CostTableSettings.model_validate(settings), records, metrics, paper)
    made.write_csv(folder / "table.csv")
    write_text(folder / "table.markdown", made.markdown())
    write_text(folder / "table.latex", made.latex())
    return folder


def rows(folder: Path) -> list[list[str]]:
    """The Markdown table's rows, its headings first."""
    lines = [line for line in (folder / "table.markdown").read_text().splitlines() if line.startswith("| ")]
    return [[text.strip() for text in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_a_row_a_training_with_cost_hours_and_metrics(tmp_path: Path) -> None:
    assert rows(written(tmp_path, "human", "useful", "replug")) == [
        ["training", "cost (USD)", "GPU hours", "dev MRR@10", "dev Recall@1000"],
        ["human", "1,116", "0.00", "35.3", "97.7"],
        ["useful", "339", "424.00", "35.3", "97.7"],
        ["replug", "375", "424.00", "35.3", "97.7"],
    ]


def test_small_costs_are_shown_to_the_cent(tmp_path: Path) -> None:
    assert rows(written(tmp_path, "useful"))[1][1] == "339.20"


def test_labels_from_a_file_have_no_cost(tmp_path: Path) -> None:
    assert rows(written(tmp_path, "theirs"))[1] == ["theirs", "", "", "35.3", "97.7"]


def test_metrics_of_another_test_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="on test set train has no place in the table"):
        written(tmp_path, "human", testset="train")


def test_the_papers_figures_stand_beside_ours_its_hours_as_gpu_hours(tmp_path: Path) -> None:
    found = rows(written(tmp_path, "replug", published="17"))
    assert found[0][:7] == ["training", "cost (USD)", "paper", "difference", "GPU hours", "paper", "difference"]
    assert found[1] == [
        "replug", "375.20", "44,639.00", "−44,263.80", "424.00", "560.00", "−136.00",
        "35.3", "33.8", "+1.5", "97.7", "94.7", "+3.0",
    ]  # fmt: skip


def test_all_formats_say_the_same(tmp_path: Path) -> None:
    folder = written(tmp_path, "human", "useful")
    assert "human,cost_usd,1116.0,," in (folder / "table.csv").read_text().splitlines()
    assert r"human & 1,116 & 0.00 & 35.3 & 97.7 \\" in (folder / "table.latex").read_text()
