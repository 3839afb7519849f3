"""The check of a GPU: what it makes of times, limits and failures, and a whole one on the CPU."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.audit.rates import Amount, Rates
from utility_annotation.audit.tables import KnownModel, RateTable, read_table
from utility_annotation.common.devices import Fault
from utility_annotation.io.schemas import RUN

MODEL = KnownModel(model="any", source="for a test", parameters=2e6, multiplied=1e6, dimension=8, bytes=8_000_000)


@pytest.fixture
def gpu_check() -> Any:
    return importlib.import_module("gpu_check")


@pytest.fixture
def checks() -> Any:
    return importlib.import_module("gpu_checks")


@pytest.fixture
def outcome(checks: Any) -> Callable[..., Any]:
    def make(result: str = "agrees", **others: Any) -> Any:
        return checks.Outcome(result, "loss off by 0.10%", "1%", **others)

    return make


def speed(checks: Any, work: str = "train", **others: Any) -> Any:
    return checks.Speed(work, 1e5, 9.89e13, "bf16", "a BERT of 12 layers", **others)


def test_what_both_sizes_take_is_no_part_of_a_rate(checks: Any) -> None:
    """300 tokens more take 2 s more; the 5 s before fall out."""
    sizes = ({"tokens": 100, "seconds": 6.0}, {"tokens": 400, "seconds": 8.0})
    found = checks._speed("encode", *sizes, 1e9, "bf16", "a BERT")
    assert (found.rate, found.flops) == (pytest.approx(150), pytest.approx(1.5e11))
    assert found.source == "a BERT: 100 to 400 tokens"


def test_a_larger_size_that_took_no_longer_tells_no_rate(checks: Any) -> None:
    sizes = ({"tokens": 100, "seconds": 6.0}, {"tokens": 400, "seconds": 6.0})
    assert checks._speed("encode", *sizes, 1e9, "bf16", "a BERT") is None


@pytest.mark.parametrize(
    ("name", "audit", "bf16"),
    [
        ("NVIDIA H100 80GB HBM3", "H100", 989e12),
        ("NVIDIA H100 PCIe", "H100", 756e12),
        ("NVIDIA H200", "H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", "A100", 312e12),
        ("NVIDIA A800-SXM4-80GB", "A800", 312e12),
        ("NVIDIA L40S", None, 362e12),
    ],
)
def test_a_gpu_is_known_by_torchs_name_of_it(gpu_check: Any, name: str, audit: str | None, bf16: float) -> None:
    limits = gpu_check.limits_of(name)
    assert (limits.audit, limits.bf16) == (audit, bf16)


def test_the_audit_has_a_name_for_those_that_say_so(gpu_check: Any, root: Path) -> None:
    shipped = read_table(RateTable, root / "resources" / "audit" / "rates.yaml")
    assert {limits.audit for limits in gpu_check.LIMITS} - {None} <= {rate.device for rate in shipped.rates}


def test_a_rate_is_shown_as_a_share_of_the_peak_of_its_precision(
    gpu_check: Any, checks: Any, outcome: Callable[..., Any]
) -> None:
    limits = gpu_check.limits_of("NVIDIA H100 80GB HBM3")
    *_, row = gpu_check.table({"training": outcome(speed=speed(checks))}, limits)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "training",
        "agrees",
        "loss off by 0.10%",
        "1%",
        "100,000 tokens/s, 98.9 TFLOP/s",
        "10.0% of bf16",
    ]


@pytest.mark.parametrize("name", ["NVIDIA GH200 480GB", "NVIDIA GeForce RTX 9999", "cpu"])
def test_an_unknown_card_has_rates_without_a_share(
    gpu_check: Any, checks: Any, outcome: Callable[..., Any], name: str
) -> None:
    limits = gpu_check.limits_of(name)
    *_, row = gpu_check.table({"training": outcome(speed=speed(checks))}, limits)
    assert limits is None
    assert "98.9 TFLOP/s" in row
    assert "of bf16" not in row


def test_a_check_that_fails_leaves_the_others_running(gpu_check: Any, outcome: Callable[..., Any]) -> None:
    def fail() -> Any:
        raise ValueError("no such\nkernel")

    checks = {"first": outcome, "broken": fail, "last": outcome}
    found = gpu_check.run_checks(checks, time.monotonic() + 60)
    assert [each.result for each in found.values()] == ["agrees", "failed", "agrees"]
    assert "broken: failed: ValueError: no such kernel" in list(gpu_check.table(found, None))
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_no_check_begins_after_the_deadline_and_none_goes_on(gpu_check: Any, outcome: Callable[..., Any]) -> None:
    checks = {"quick": outcome, "slow": lambda: time.sleep(30), "late": outcome}
    began = time.monotonic()
    found = gpu_check.run_checks(checks, began + 0.5)
    assert time.monotonic() - began < 10
    assert [each.result for each in found.values()] == ["agrees", "not run", "not run"]
    assert found["late"].agreement == "no time left"


@pytest.mark.parametrize(
    ("result", "code"), [("agrees", 0), ("not installed", 0), ("differs", 1), ("failed", 1), ("not run", 1)]
)
def test_the_exit_code_is_1_unless_all_agree_or_are_not_installed(
    gpu_check: Any, outcome: Callable[..., Any], result: str, code: int
) -> None:
    assert gpu_check.exit_code({"first": outcome(), "second": outcome(result)}) == code


def test_without_a_gpu_it_says_so_and_fails(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_check, "gpu_fault", lambda: Fault("torch is built without CUDA", "install another"))
    assert gpu_check.main(["--output", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: there is no GPU to check: torch is built without CUDA. Fix: install another; or")
    assert "make gpu-check OPTIONS=--allow-cpu" in line
    assert not (tmp_path / "out").exists()


def test_the_audit_counts_with_the_rates(
    gpu_check: Any, checks: Any, outcome: Callable[..., Any], tmp_path: Path
) -> None:
    """9.89e13 FLOP a second, and 6 a token and parameter that it is multiplied with."""
    found = {"training": outcome(speed=speed(checks)), "search": outcome(speed=speed(checks, "score"))}
    path = tmp_path / "rates.yaml"
    path.write_text(gpu_check.rates_file(found, "H100", 1, "2026-01-01, NVIDIA H100 PCIe"))
    rates = Rates([read_table(RateTable, path)], "H100")
    assert rates.gpus() == ["H100"]
    assert rates.time([Amount("train", 1e6, MODEL)], gpus=1, threads=8) == pytest.approx(6e12 / 9.89e13)
    assert rates.time([Amount("score", 1e6)], gpus=1, threads=8) == pytest.approx(10)
    assert all("2026-01-01, NVIDIA H100 PCIe" in rate.source for rate in rates.used.values())


def test_only_what_agrees_and_suits_the_audit_is_a_rate(
    gpu_check: Any, checks: Any, outcome: Callable[..., Any], tmp_path: Path
) -> None:
    found = {
        "training": outcome("differs", speed=speed(checks)),
        "with LoRA": outcome(speed=speed(checks, audited=False)),
        "search": outcome(),
    }
    path = tmp_path / "rates.yaml"
    path.write_text(gpu_check.rates_file(found, "H100", 1, "2026-01-01"))
    assert read_table(RateTable, path).rates == ()


def hits(*rows: tuple[str, int, float]) -> Any:
    return RUN.rows([{"query_id": "q", "docid": docid, "rank": rank, "score": score} for docid, rank, score in rows])


def test_passages_that_are_tied_may_change_places(checks: Any) -> None:
    exact = hits(("a", 1, 0.9), ("b", 2, 0.5), ("c", 3, 0.5 - 1e-7))
    swapped = hits(("a", 1, 0.9), ("c", 2, 0.5), ("b", 3, 0.5 - 1e-7))
    other_at_the_cut = hits(("a", 1, 0.9), ("b", 2, 0.5), ("d", 3, 0.5 - 2e-7))
    assert checks.same_hits(swapped, exact, 1e-5) == checks.same_hits(other_at_the_cut, exact, 1e-5) == 1


def test_another_passage_or_score_is_no_tie(checks: Any) -> None:
    exact = hits(("a", 1, 0.9), ("b", 2, 0.5))
    assert checks.same_hits(hits(("b", 1, 0.9), ("a", 2, 0.5)), exact, 1e-5) == 0
    assert checks.same_hits(hits(("a", 1, 0.9), ("b", 2, 0.4)), exact, 1e-5) == 0.5
    assert checks.same_hits(hits(("a", 1, 0.9)), exact, 1e-5) == 0.5


def test_the_shapes_are_those_of_bert_base_and_qwen3(checks: Any) -> None:
    """Weights of the layers: 85.1 million by resources/audit/sizes.yaml, and 440 million of Qwen3-0.6B."""
    assert checks.FULL.bert.multiplied() == pytest.approx(85.1e6, rel=0.005)
    assert checks.FULL.decoder.multiplied() == pytest.approx(440e6, rel=0.005)


@pytest.mark.process
def test_the_cpu_agrees_with_itself_and_its_record_is_none_of_a_gpu(root: Path, tmp_path: Path) -> None:
    """All of it for real but vLLM, which takes a minute to start."""
    program = root / "benchmarks" / "gpu_check.py"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "VLLM_PYTHON": "", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, program, "--allow-cpu", "--output", tmp_path],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "this says nothing about a GPU" in done.stdout
    record = json.loads((tmp_path / "record.json").read_text())
    results = {name: found["result"] for name, found in record["checks"].items()}
    assert results.pop("annotation, vLLM") == "not installed"
    assert set(results.values()) == {"agrees"}
    assert record["device"]["kind"] == "cpu"
    rates = read_table(RateTable, tmp_path / "rates.yaml").rates
    assert {rate.device for rate in rates} == {"cpu"}
    assert {rate.work for rate in rates} <= {"train", "encode", "score"}
