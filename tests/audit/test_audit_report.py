"""The page says what was summed, what rests on derived rates, and what was not counted."""

from __future__ import annotations

from typing import Any

import pytest

from utility_annotation.audit.estimate import Estimate
from utility_annotation.audit.page import byte_size, hours, page, tokens
from utility_annotation.audit.plan import Job, Output
from utility_annotation.audit.rates import Amount, Rates
from utility_annotation.audit.report import Audit, Machine, audit
from utility_annotation.audit.sizes import Origin
from utility_annotation.audit.tables import Rate, RateTable


def estimate(number: int, rule: str, reasons: tuple[str, ...] = ("missing output",), **keys: Any) -> Estimate:
    job = keys.pop("job", {})
    outputs = (Output(path=f"o{number}", temporary=rule == "encode"),)
    return Estimate.model_validate(
        {"job": Job(id=number, rule=rule, outputs=outputs, reasons=reasons, **job), "seconds": 3600, "bytes": (1e9,)}
        | keys
    )


def audited(*estimates: Estimate, gpus: int = 2, rates: Rates | None = None, **keys: Any) -> Audit:
    machine = Machine(gpu="A800", gpus=gpus, cores=4, cores_a_gpu=1, usd_a_gpu_hour=0.5)
    settings: dict[str, Any] = {"made": 0, "arguments": ("paper",), "on_disk": 2e9, "sizes": {}}
    return audit(estimates, rates or Rates([], "A800"), machine, **(settings | keys))


def test_stages_are_summed_along_the_way_and_in_all() -> None:
    found = audited(
        estimate(0, "of_my_own", job={"threads": 2}),
        estimate(1, "encode", job={"gpus": 1}),
        estimate(2, "encode", job={"gpus": 1}, seconds=1800),
        estimate(3, "search", job={"gpus": 1, "needs": (1,), "takes": ("o1",)}),
        estimate(4, "train", job={"gpus": 8}, prompt_tokens=5, new_tokens=7),
    )
    assert [stage.stage for stage in found.stages] == ["train", "encode", "search", "of_my_own"]
    train, encode, *_ = found.stages
    assert (train.gpu_seconds, train.usd, train.kept) == (8 * 3600, 4, 1e9)
    assert (encode.jobs, encode.gpu_seconds, encode.kept, encode.temporary) == (2, 5400, 0, 2e9)
    assert (found.total.jobs, found.total.gpu_seconds, found.total.core_seconds) == (5, 8 * 3600 + 9000, 7200)
    assert (found.total.prompt_tokens, found.total.new_tokens) == (5, 7)


def test_several_numbers_of_gpus_are_simulated_and_peaks_hold_what_lies_there() -> None:
    found = audited(*(estimate(number, "train", job={"gpus": 1}) for number in range(4)))
    assert [(run.gpus, run.seconds) for run in found.runs] == [(1, 14400), (2, 7200), (8, 3600), (64, 3600)]
    assert found.run == found.runs[1]
    assert (found.on_disk, found.run.peak, found.added) == (2e9, 4e9, 4e9)
    assert "| 2 | 4 | 2.0 h | 100% | 6.0 GB |" in page(found)


def test_a_plan_without_gpus_is_simulated_on_cores() -> None:
    found = audited(estimate(0, "train"), estimate(1, "train"))
    assert [(run.gpus, run.cores, run.seconds) for run in found.runs] == [(0, 4, 3600)]
    assert "| CPU cores | wall time | peak disk |" in page(found)


def test_what_is_not_known_is_said_and_not_zero() -> None:
    text = page(audited(estimate(0, "train", seconds=None, unknown="a rate of train"), estimate(1, "train")))
    assert "1 job of train. It needs a rate of train." in text
    assert "| train | missing output (2) | 2 (1 not counted) |" in text


def test_derived_times_are_marked_and_measured_ones_are_not() -> None:
    text = page(audited(estimate(0, "train", derived=True), estimate(1, "search", job={"gpus": 1})))
    train, search = (line for line in text.splitlines() if line.startswith(("| train", "| search")))
    assert "≈" in train
    assert "≈" not in search


def test_jobs_that_a_cluster_would_end_are_named() -> None:
    short, long = estimate(0, "train", job={"runtime": 61}), estimate(1, "search", job={"runtime": 59})
    text = page(audited(short, long, estimate(2, "encode")))
    assert "**Too long**: 1 job of search" in text
    assert "Too long" not in page(audited(short))


def test_each_reason_counts_once_a_job_and_the_weightiest_first() -> None:
    reasons = ("changed settings (run.epochs)", "input made anew by another job")
    found = audited(estimate(0, "train", reasons), estimate(1, "train", reasons[1:]), estimate(2, "train", reasons[1:]))
    assert found.stages[0].reasons == {reasons[1]: 2, reasons[0]: 1}


def test_nothing_to_be_done_is_said() -> None:
    assert "Nothing is to be done" in page(audited())


def test_sources_of_sizes_and_rates_are_listed() -> None:
    rate = Rate(device="cpu", work="start", seconds=3, basis="derived", source="derived: assumed here")
    rates = Rates([RateTable(rates=(rate,))], "gpu")
    rates.time([Amount("start", 1)], gpus=0, threads=1)
    sizes = {"corpus d": Origin(size="5 passages", source="its paper"), "pool p": Origin(size="2", source="its paper")}
    text = page(audited(estimate(0, "train"), sizes=sizes, rates=rates))
    assert "| its paper | corpus d: 5 passages; pool p: 2 |" in text
    assert "| cpu | start |  | 3 s each | derived | assumed here |" in text


def test_an_audit_survives_its_json() -> None:
    found = audited(estimate(0, "train", derived=True))
    assert Audit.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("text", "due"),
    [
        (hours(7200), "2.0 h"),
        (hours(90), "1.5 min"),
        (hours(3), "3 s"),
        (byte_size(13.58e9), "13.6 GB"),
        (byte_size(2e8), "0.2 GB"),
        (byte_size(2.5e6), "2.5 MB"),
        (byte_size(1200), "1.2 kB"),
        (tokens(0), ""),
        (tokens(2.3e9), "2,300.0 M"),
        (tokens(1500), "1.5 k"),
    ],
)
def test_figures_have_the_unit_that_suits_them(text: str, due: str) -> None:
    assert text == due
