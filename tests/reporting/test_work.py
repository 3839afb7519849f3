"""What the labels of a pool took: counted from rows and summaries, priced when it is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import report as script
from configured import CONFIGURATION, write_configuration
from judged_questions import write_judged_pool

from utility_annotation.common.files import write_json
from utility_annotation.labels.cost import Records
from utility_annotation.planning import jobs
from utility_annotation.planning.loading import load
from utility_annotation.reporting.work import amount, annotation_cost, usd
from utility_annotation.settings import Configuration, Cost

SUMMARY = {"prompt_tokens": 200, "new_tokens": 20, "engine_seconds": 3600.0, "load_seconds": 0.0, "earlier": None}
LABELS = {
    "human": {"pool": "p", "source": "human"},
    "relevant": {"pool": "p", "source": "relsel", "annotator": "llm"},
    "likely": {"pool": "p", "source": "replug", "annotator": "small"},
    "own": {"pool": "p", "source": "file", "file": {"format": "trec", "path": "own.txt"}},
}


def configuration(labels: dict[str, Any] = LABELS) -> Configuration:
    annotators = CONFIGURATION["annotators"] | {"served": {"engine": "openai", "served_model_name": "far"}}
    shown = {"label_tables": {"t": {"title": "t", "labels": list(labels)}}}
    return load(CONFIGURATION | {"annotators": annotators, "labels": labels, "trainings": {}} | shown)


def write_jobs(folder: Path, gpus: int = 0) -> None:
    """A judged pool each of whose jobs had so many GPUs and read 200 tokens in an hour."""
    write_judged_pool(folder)
    for shard in (folder / "annotation").rglob("*.parquet"):
        write_json(shard.with_suffix(".json"), SUMMARY | {"gpus": gpus})


def counted(folder: Path, gpus: int = 0) -> dict[str, Any]:
    write_jobs(folder, gpus)
    asked = jobs.annotation_cost(configuration(), pool="p")
    records = Records((folder / "pools").rglob("*.parquet"), (folder / "annotation").rglob("*.parquet"))
    return annotation_cost(asked, records)


def test_a_stage_has_requests_tokens_and_hours_of_all_its_shards(tmp_path: Path) -> None:
    stages = {stage["stage"]: stage for stage in counted(tmp_path)["stages"]}
    assert stages["relsel"] == {
        "annotator": "llm",
        "stage": "relsel",
        "shares": None,
        "questions": 4,
        "requests": 6,
        "prompt_tokens": 400,
        "new_tokens": 40,
        "device_hours": pytest.approx(2.0),
        "gpus": 0,
    }


def test_hours_count_each_gpu_of_a_job(tmp_path: Path) -> None:
    stages = {stage["stage"]: stage for stage in counted(tmp_path, gpus=4)["stages"]}
    assert (stages["relsel"]["gpus"], stages["relsel"]["device_hours"]) == (4, pytest.approx(8.0))


def test_a_label_set_has_the_work_of_humans_and_devices(tmp_path: Path) -> None:
    assert counted(tmp_path)["labels"] == {
        "human": {"judgements": 15, "answers": 0, "device_hours": 0, "tokens": 0},
        "relevant": {"judgements": 0, "answers": 0, "device_hours": pytest.approx(2.0), "tokens": 440},
        "likely": {"judgements": 0, "answers": 4, "device_hours": pytest.approx(2.0), "tokens": 440},
        "own": {"judgements": 0, "answers": 0, "device_hours": None, "tokens": 0},
    }


def test_a_stage_that_takes_the_likelihoods_of_another_has_no_hours_of_its_own() -> None:
    settings = configuration({"ranked": {"pool": "p", "source": "utilrank", "annotator": "small"}})
    asked = jobs.annotation_cost(settings, pool="p")
    assert {stage.stage: stage.shares for stage in asked.stages} == {
        "relsel": None,
        "answer": None,
        "utilsel": None,
        "utilrank": "utilsel",
    }


@pytest.mark.parametrize(
    ("effort", "expected"),
    [
        ({"device_hours": 2.0}, "4.00"),
        ({"judgements": 10, "answers": 5, "device_hours": 0.0}, "1.50"),
        ({"judgements": 10, "device_hours": None, "tokens": 0}, ""),
    ],
    ids=["hours", "humans", "not known"],
)
def test_work_is_priced_as_configured(effort: dict[str, Any], expected: str) -> None:
    assert usd(Cost(gpu_hour_usd=2, judgement_usd=0.1), effort) == expected


@pytest.mark.parametrize(("value", "text"), [(0.0, "0.00"), (0.001, "< 0.01"), (1234.5, "1,234.50"), (None, "")])
def test_a_little_is_not_nothing(value: float | None, text: str) -> None:
    assert amount(value) == text


def test_the_script_counts_the_pool_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_jobs(tmp_path / "results")
    shown = {"t": {"title": "t", "labels": list(LABELS)}}
    file = write_configuration(tmp_path, labels=LABELS, trainings={}, label_tables=shown)
    script.main(["cost", "--config", file, "--pool", "p", "--output", "cost.json"])
    found = json.loads(Path("cost.json").read_text())
    assert {stage["stage"] for stage in found["stages"]} == {"relsel", "replug"}
    assert found["labels"]["human"]["judgements"] == 15
