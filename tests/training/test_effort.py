"""What a training took: tokens and padding, energy counters, peaks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from utility_annotation.training.effort import EnergyMeter, TrainingEffort
from utility_annotation.training.processes import World

ALONE = World(0, 1, torch.device("cpu"))


def test_tokens_and_padding_of_steps_are_summed() -> None:
    effort = TrainingEffort(seconds=2.0)
    effort.add(1, [[1] * 4, [1] * 2, [1] * 3], [[0, 2], [1]], ALONE)
    effort.add(1, [[1] * 1], [[0]], ALONE)
    record = effort.record(ALONE)
    assert (record["texts"], record["tokens"]) == (4, 10)
    assert record["padding_share"] == pytest.approx(1 / 11, abs=1e-4)
    assert (record["queries_per_second"], record["tokens_per_second"]) == (1, 5)
    assert record["peak_megabytes"]["process"] > 100, "torch alone takes more"
    assert record["peak_megabytes"]["device"] is record["kilojoules"] is None


def test_a_training_that_made_no_step_since_its_effort_is_counted_has_no_rates() -> None:
    """It goes on from a checkpoint of its last step, which an older version wrote."""
    record = TrainingEffort().record(ALONE)
    assert record["padding_share"] is None
    assert "tokens_per_second" not in record


def counters(folder: Path, *microjoules: int) -> Path:
    """The counters of so many processors, and one of a part of the first, which is in the first's already."""
    for number, value in enumerate(microjoules):
        (folder / f"intel-rapl:{number}").mkdir(exist_ok=True)
        (folder / f"intel-rapl:{number}" / "energy_uj").write_text(f"{value}\n")
    (folder / "intel-rapl:0:0").mkdir(exist_ok=True)
    (folder / "intel-rapl:0:0" / "energy_uj").write_text(f"{microjoules[0]}\n")
    return folder


def test_energy_is_what_the_counters_of_the_processors_rise_by(tmp_path: Path) -> None:
    meter = EnergyMeter(ALONE, counters(tmp_path, 1_000_000, 5_000_000))
    counters(tmp_path, 3_000_000, 6_000_000)
    assert meter.joules() == 3
    assert meter.joules() == 0, "it was read just now"


def test_a_counter_that_began_again_is_left_out_once(tmp_path: Path) -> None:
    meter = EnergyMeter(ALONE, counters(tmp_path, 9_000_000, 5_000_000))
    counters(tmp_path, 1_000_000, 6_000_000)
    assert meter.joules() == 1
    counters(tmp_path, 2_000_000, 6_000_000)
    assert meter.joules() == 1


def test_a_counter_that_can_be_read_only_later_counts_from_then_on(tmp_path: Path) -> None:
    meter = EnergyMeter(ALONE, tmp_path)
    counters(tmp_path, 9_000_000)
    assert meter.joules() == 0
    counters(tmp_path, 10_000_000)
    assert meter.joules() == 1


def test_a_machine_without_counters_has_no_energy(tmp_path: Path) -> None:
    assert EnergyMeter(ALONE, tmp_path).joules() == 0


def test_the_processes_of_one_machine_count_its_energy_once(tmp_path: Path) -> None:
    second = EnergyMeter(World(1, 1, torch.device("cpu")), counters(tmp_path, 0))
    counters(tmp_path, 5_000_000)
    assert second.joules() == 0
