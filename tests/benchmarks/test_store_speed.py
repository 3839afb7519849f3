"""The measurement of the completion store finds every key in each state of the store, and the page shows it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

OPERATIONS = ["find", "list", "export to .gz", "find in the exported file", "prune", "find after pruning"]


def test_each_operation_is_measured_and_shown() -> None:
    store_speed = importlib.import_module("store_speed")
    record = store_speed.measure_store(1, records=640, keys=100)
    assert list(record["operations"]) == OPERATIONS
    assert (record["records"], record["keys"], record["segments"]) == (640, 100, 64)
    section = store_speed.section({"measured": "2026-01-01", "commit": "", **record})
    assert [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")] == [
        "operation",
        "---",
        *OPERATIONS,
    ]


@pytest.mark.process
def test_a_key_that_is_not_found_ends_the_measurement(root: Path, tmp_path: Path) -> None:
    program = [sys.executable, root / "benchmarks" / "programs" / "completion_store.py"]
    subprocess.run([*program, "fill", tmp_path, "--records", "50"], check=True)
    found = subprocess.run([*program, "find", tmp_path, "--records", "60", "--keys", "60"], capture_output=True)
    assert found.returncode == 1
    assert b"50 of 60 keys found" in found.stderr
