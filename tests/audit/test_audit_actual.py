"""Predicted beside actual, from records written by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from test_audit_page import audited

from utility_annotation.audit.actual import compare, page
from utility_annotation.audit.plan import Estimate, Job, Output
from utility_annotation.common.errors import InputError

MADE = 1_000_000.0
BENCHMARK = "s\th:m:s\tmax_rss\tmax_vms\n{seconds}\t0:00:00\t{memory}\t1\n"


def estimate(number: int, rule: str, *outputs: Output, **keys: object) -> Estimate:
    job = Job(id=number, rule=rule, outputs=outputs, gpus=2, benchmark=f"benchmarks/jobs/{rule}/{number}.tsv")
    return Estimate.model_validate({"job": job, "seconds": 100, "bytes": (10.0,) * len(outputs)} | keys)


def write(name: str, text: str, *, after: float = 60) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (MADE + after, MADE + after))


def benchmark(rule: str, job: int, seconds: float, memory: str = "200", after: float = 60) -> None:
    text = BENCHMARK.format(seconds=seconds, memory=memory)
    write(f"benchmarks/jobs/{rule}/{job}.tsv", text, after=after)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def compared(*estimates: Estimate) -> Any:
    """The stage of these jobs."""
    (stage,) = compare(audited(*estimates, made=MADE)).values()
    return stage


def test_times_tokens_and_bytes_stand_beside_what_was_predicted() -> None:
    outputs = Output(path="results/a.parquet"), Output(path="results/a.json")
    annotation = estimate(0, "annotate_relsel", *outputs, prompt_tokens=50, new_tokens=5)
    benchmark("annotate_relsel", 0, 150)
    write("results/a.parquet", "x" * 30)
    write("results/a.json", json.dumps({"prompt_tokens": 60, "new_tokens": 4}))
    found = compared(annotation)
    assert found["seconds"] == (100, 150)
    assert found["gpu_seconds"] == (200, 300)
    assert (found["prompt_tokens"], found["new_tokens"]) == ((50, 60), (5, 4))
    assert found["results"] == (20, 30 + Path("results/a.json").stat().st_size)
    assert found["done"] == (1, 1)


def test_only_jobs_with_a_record_are_compared() -> None:
    benchmark("train", 0, 70)
    stage = compared(*(estimate(number, "train", Output(path=f"m{number}")) for number in range(3)))
    assert stage["done"] == (3, 1)
    assert stage["seconds"] == (100, 70)
    assert stage["results"] is None


def test_records_of_an_earlier_run_do_not_count() -> None:
    benchmark("train", 0, 70, after=-60)
    write("m0", "old", after=-60)
    stage = compared(estimate(0, "train", Output(path="m0")))
    assert (stage["done"], stage["results"]) == ((1, 0), None)


def test_a_training_without_a_benchmark_tells_its_own_seconds() -> None:
    write("m0/training.json", json.dumps({"seconds": 42.5}))
    os.utime("m0", (MADE + 60, MADE + 60))
    assert compared(estimate(0, "train", Output(path="m0")))["seconds"] == (100, 42.5)


def test_a_job_with_temporary_files_alone_is_done_with_its_record() -> None:
    benchmark("encode", 0, 70)
    stage = compared(estimate(0, "encode", Output(path="v.npy", temporary=True)))
    assert (stage["done"], stage["results"]) == ((1, 1), None)


def test_what_was_not_predicted_is_in_no_pair() -> None:
    benchmark("train", 0, 70)
    unknown = estimate(0, "train", Output(path="m0"), seconds=None, bytes=(), unknown="a rate")
    stage = compared(unknown)
    assert (stage["done"], stage["seconds"]) == ((1, 1), None)


def test_the_page_has_each_stage_and_a_sum() -> None:
    benchmark("train", 0, 50)
    benchmark("encode", 1, 150)
    estimates = [
        estimate(0, "train", Output(path="m0")),
        estimate(1, "encode", Output(path="v", temporary=True)),
        estimate(2, "search", Output(path="r")),
    ]
    text = page(compare(audited(*estimates, made=MADE)), 0.5)
    assert "| train | 1 of 1 | 1.7 min | 50 s | 3.3 min | 1.7 min |" in text
    assert "| search | 0 of 1 |  |" in text
    assert "| **in all** | 2 of 3 | 3.3 min | 3.3 min | 6.7 min | 6.7 min |" in text
    assert "GPU hours cost 0.06 USD predicted, 0.06 USD actual." in text


def test_an_empty_benchmark_file_tells_nothing() -> None:
    write("benchmarks/jobs/train/0.tsv", "")
    assert compared(estimate(0, "train"))["seconds"] is None


@pytest.mark.parametrize("text", ["s\tmax_rss\nfast\t1\n", "other\n1\n"])
def test_a_damaged_benchmark_file_is_named(text: str) -> None:
    write("benchmarks/jobs/train/0.tsv", text)
    with pytest.raises(InputError, match=r"benchmarks/jobs/train/0\.tsv"):
        compared(estimate(0, "train"))


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"prompt_tokens": null, "new_tokens": 1}'])
def test_a_damaged_summary_is_named(text: str) -> None:
    write("a.json", text)
    with pytest.raises(InputError, match=r"a\.json"):
        compared(estimate(0, "annotate_relsel", Output(path="a.json"), prompt_tokens=5))
