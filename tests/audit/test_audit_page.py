"""The page says what was summed and what was not counted."""

from __future__ import annotations

from typing import Any

import pytest

from utility_annotation.audit.page import byte_size, hours, page, tokens
from utility_annotation.audit.plan import Audit, Estimate, Job, Output, sums
from utility_annotation.audit.tables import Rate


def estimate(number: int, rule: str, **keys: Any) -> Estimate:
    outputs = (Output(path=f"o{number}", temporary=rule == "encode"),)
    job = Job(id=number, rule=rule, outputs=outputs, **keys.pop("job", {}))
    return Estimate.model_validate({"job": job, "seconds": 3600, "bytes": (1e9,)} | keys)


def audited(*estimates: Estimate, gpus: int = 2, **keys: Any) -> Audit:
    machine = {"gpu": "A800", "gpus": gpus, "cores": 4, "usd_a_gpu_hour": 0.5}
    rest = {"made": 0, "arguments": ("paper",), "on_disk": 2e9, "stored": {}, "rates": (), "jobs": estimates}
    return Audit.model_validate(machine | rest | keys)


def test_stages_are_summed_along_the_way_and_in_all() -> None:
    found = audited(
        estimate(0, "of_my_own", job={"threads": 2}),
        estimate(1, "encode", job={"gpus": 1}),
        estimate(2, "encode", job={"gpus": 1}, seconds=1800),
        estimate(3, "search", job={"gpus": 1, "needs": (1,), "takes": ("o1",)}),
        estimate(4, "train", job={"gpus": 8}, prompt_tokens=5_000, new_tokens=7_000),
    )
    stages = found.by_stage()
    assert list(stages) == ["train", "encode", "search", "of_my_own"]
    encode, total = sums(stages["encode"]), sums(found.jobs)
    assert (encode["gpu_seconds"], encode["kept"], encode["temporary"]) == (5400, 0, 2e9)
    assert (total["gpu_seconds"], total["core_seconds"]) == (8 * 3600 + 9000, 7200)
    text = page(found)
    assert "| train | 1 | 8.0 h |  | 5.0 k | 7.0 k | 4.00 | 1.0 GB |" in text
    assert "| **in all** | 5 | 10.5 h | 2.0 h | 5.0 k | 7.0 k | 5.25 | 3.0 GB + 2.0 GB temporary |" in text


def test_no_run_is_faster_than_its_longest_chain_or_its_work() -> None:
    found = audited(
        estimate(0, "encode", job={"gpus": 1}),
        estimate(1, "search", job={"gpus": 1, "needs": (0,), "takes": ("o0",)}),
        estimate(2, "train", job={"gpus": 2}),
    )
    assert found.longest_chain() == 7200
    assert (found.wall_seconds(1), found.wall_seconds(8)) == (4 * 3600, 7200)
    assert "On 2 GPUs and 4 CPU cores the run takes at least 2.0 h" in page(found)
    on_cores = audited(*(estimate(number, "train") for number in range(8)))
    assert on_cores.wall_seconds(2) == 2 * 3600


def test_one_gpu_is_no_plural() -> None:
    text = page(audited(estimate(0, "train"), gpus=1, cores=1))
    assert "On 1 GPU and 1 CPU core the run takes" in text


def test_temporary_files_are_told_together_and_at_once() -> None:
    made = [estimate(number, "encode") for number in range(3)]
    found = audited(*made, estimate(3, "search", job={"needs": (0, 1), "takes": ("o0", "o1")}))
    assert found.temporary_at_once() == 2e9
    assert "hold 2.0 GB now, and the run adds 1.0 GB. Temporary files have 3.0 GB together" in page(found)


def test_what_is_not_known_is_said_and_not_zero() -> None:
    text = page(audited(estimate(0, "train", seconds=None, unknown="a rate of train"), estimate(1, "train")))
    assert "1 job of train, for lack of a rate of train." in text
    assert "| train | 2 (1 not counted) |" in text


def test_stored_completions_are_told() -> None:
    text = page(audited(estimate(0, "train"), stored={"qwen": 1234}))
    assert "The completion store of qwen has 1,234 completions." in text


def test_what_is_assumed_is_told() -> None:
    text = page(audited(estimate(0, "train"), assumed=("the selector is unsure of 30 % of 900 questions",)))
    assert "- **Assumed**: the selector is unsure of 30 % of 900 questions.\n" in text
    assert "Assumed" not in page(audited(estimate(0, "train")))


def test_nothing_to_be_done_is_said() -> None:
    assert "Nothing is to be done" in page(audited())


def test_rates_are_listed_with_their_sources() -> None:
    start = Rate(device="cpu", work="start", seconds=3, basis="derived", source="derived: assumed here")
    text = page(audited(estimate(0, "train"), rates=(start,)))
    assert "1 of 1 rates are derived" in text
    assert "| cpu | start |  | 3 s each | derived | assumed here |" in text


def test_an_audit_survives_its_json() -> None:
    found = audited(estimate(0, "train"))
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
