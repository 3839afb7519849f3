"""What the labels of a pool took: counted from rows and summaries, priced when it is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from judged_questions import write_judged_pool

from utility_annotation.common.files import write_json
from utility_annotation.labels.cost import Records
from utility_annotation.planning.loading import load
from utility_annotation.pools.shards import shard_files
from utility_annotation.reporting.judges import judges_of_pools
from utility_annotation.reporting.work import amount, annotation_cost, device, usd, work_settings
from utility_annotation.settings import Cost

SOURCE = {"format": "beir", "path": "x.jsonl"}
SUMMARY = {"prompt_tokens": 200, "new_tokens": 20, "engine_seconds": 3600.0, "load_seconds": 0.0, "earlier": None}
RAW: dict[str, Any] = {
    "models": {"m": {"hub": "a/b"}},
    "datasets": {
        "d": {
            "corpus": SOURCE,
            "splits": {"train": {"queries": SOURCE, "qrels": SOURCE, "answers": {"format": "jsonl", "path": "a"}}},
        }
    },
    "pools": {"p": {"dataset": "d", "source": {"path": "t.jsonl"}, "shards": 2}},
    "annotators": {
        "llm": {"model": "m"},
        "small": {"model": "m", "protocol": "pointwise"},
        "served": {"engine": "openai", "served_model_name": "far"},
    },
    "labels": {
        "human": {"pool": "p", "source": "human"},
        "relevant": {"pool": "p", "source": "relsel", "annotator": "llm"},
        "likely": {"pool": "p", "source": "replug", "annotator": "small"},
        "own": {"pool": "p", "source": "file", "file": {"format": "trec", "path": "own.txt"}},
    },
}


def counted(folder: Path, gpus: int = 0, **raw: Any) -> dict[str, Any]:
    """The counts of a pool each of whose jobs had so many GPUs and read 200 tokens in an hour."""
    pool = write_judged_pool(folder)
    for shard in (folder / "annotation").rglob("*.parquet"):
        write_json(shard.with_suffix(".json"), SUMMARY | {"gpus": gpus})
    settings = load(RAW | raw)
    judges = judges_of_pools(settings, settings.labels)["p"]
    folders = [pool.files.annotation / str(judge.annotator) / str(judge.stage) for judge in judges if judge.stage]
    asked = work_settings(settings, "p", judges, list(settings.labels))
    records = Records(shard_files(pool.files.pool, 2), [path for each in folders for path in shard_files(each, 2)])
    found: dict[str, Any] = json.loads(json.dumps(annotation_cost(asked, records)))
    return found


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
        "human": {"judgements": 15, "answers": 0, "device_hours": 0},
        "relevant": {"judgements": 0, "answers": 0, "device_hours": pytest.approx(2.0)},
        "likely": {"judgements": 0, "answers": 4, "device_hours": pytest.approx(2.0)},
        "own": {"judgements": 0, "answers": 0, "device_hours": None},
    }


def test_a_stage_that_takes_the_likelihoods_of_another_has_no_hours_of_its_own() -> None:
    raw = RAW | {"labels": {"ranked": {"pool": "p", "source": "utilrank", "annotator": "small"}}}
    settings = load(raw)
    asked = work_settings(settings, "p", judges_of_pools(settings, ["ranked"])["p"], ["ranked"])
    assert {stage.stage: stage.shares for stage in asked.stages} == {
        "relsel": None,
        "answer": None,
        "utilsel": None,
        "utilrank": "utilsel",
    }


@pytest.mark.parametrize(
    ("annotator", "gpus", "expected"), [("llm", 0, "CPU"), ("llm", 1, "GPU"), ("served", 0, "server")]
)
def test_whose_hours_they_are_is_said(annotator: str, gpus: int, expected: str) -> None:
    assert device(load(RAW), {"annotator": annotator, "gpus": gpus}) == expected


@pytest.mark.parametrize(
    ("effort", "expected"),
    [
        ({"device_hours": 2.0}, "4.00"),
        ({"judgements": 10, "answers": 5, "device_hours": 0.0}, "1.50"),
        ({"judgements": 10, "device_hours": None}, ""),
    ],
    ids=["hours", "humans", "not known"],
)
def test_work_is_priced_as_configured(effort: dict[str, Any], expected: str) -> None:
    assert usd(Cost(gpu_hour_usd=2, judgement_usd=0.1), effort) == expected


@pytest.mark.parametrize(("value", "text"), [(0.0, "0.00"), (0.001, "< 0.01"), (1234.5, "1,234.50"), (None, "")])
def test_a_little_is_not_nothing(value: float | None, text: str) -> None:
    assert amount(value) == text
