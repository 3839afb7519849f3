"""What completion stores tell an audit."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from utility_annotation.audit.rates import Amount, ModelSize, Rates
from utility_annotation.audit.store import own_rates, stored_completions
from utility_annotation.audit.tables import Rate, RateTable
from utility_annotation.engines.throughput import Speed, record_speed
from utility_annotation.settings import Configuration, load


@pytest.fixture
def configuration() -> Configuration:
    return load(
        {
            "models": {"m": {"hub": "org/m"}},
            "datasets": {},
            "annotators": {"a": {"model": "m"}, "b": {"model": "m"}},
            "performance": {"threads": 2},
        }
    )


def test_records_are_counted_in_all_files_of_a_store(configuration: Configuration, tmp_path: Path) -> None:
    store = tmp_path / "results/completions/a"
    store.mkdir(parents=True)
    (store / "one.jsonl").write_text("{}\n{}\n")
    with gzip.open(store / "two.jsonl.gz", "wt") as file:
        file.write("{}\n")
    assert stored_completions(configuration, tmp_path) == {"a": 3}


def test_an_engines_own_speed_comes_between_a_users_rates_and_the_shipped_ones(
    configuration: Configuration, tmp_path: Path
) -> None:
    record_speed(tmp_path / "results/completions/a", "relsel", Speed(tokens=3000, device_seconds=10))
    own = own_rates(configuration, "A800", tmp_path)
    rate = Rate(device="cpu", work="prompt", model="org/m", rate=1, basis="measured", source="a test's own")
    other = RateTable(rates=(rate,))

    def seconds(stage: str, *tables: RateTable) -> float:
        asked = ModelSize("m", (f"a/{stage}", "org/m"), None)
        return Rates(tables, "A800").time([Amount("prompt", 600, asked)], gpus=0, threads=2).seconds

    assert seconds("relsel", own, other) == 2
    assert seconds("relsel", other, own) == 300
    assert seconds("answer", own, other) == 300


def test_a_recorded_speed_is_of_the_device_that_is_planned(configuration: Configuration, tmp_path: Path) -> None:
    record_speed(tmp_path / "results/completions/a", "relsel", Speed(tokens=3000, device_seconds=10))
    assert {rate.device for rate in own_rates(configuration, "A800", tmp_path).rates} == {"cpu"}
    on_gpus = load(configuration.model_dump() | {"performance": {"annotate": {"gpus": 1}}})
    assert {rate.device for rate in own_rates(on_gpus, "A800", tmp_path).rates} == {"A800"}


def test_without_a_record_there_is_no_rate(configuration: Configuration, tmp_path: Path) -> None:
    assert own_rates(configuration, "A800", tmp_path).rates == ()
