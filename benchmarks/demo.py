"""The demo's time by rule: `make demo` in a copy of the workflow, with the packages that are installed already."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jobs_table
import measure
import page


def measure_demo() -> dict[str, Any]:
    """Run the demo once."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        measure.copy_workflow(copy)
        shutil.copy(measure.ROOT / "Makefile", copy)
        (copy / ".venv").symlink_to(measure.ROOT / ".venv")
        cost = measure.run(["make", "--assume-old", ".venv/core.stamp", "demo"], copy)
        rules = jobs_table.read_rules(copy / "benchmarks" / "jobs")
    return {
        "machine": measure.machine("snakemake", "torch", "transformers"),
        "run": measure.summary([cost]),
        "rules": [asdict(rule) for rule in rules],
    }


def section(record: Mapping[str, Any]) -> str:
    """The table by rule."""
    rules = [jobs_table.Rule(**rule) for rule in record["rules"]]
    seconds = record["run"]["seconds"]["median"]
    return "\n\n".join(
        [
            "## The demo, by rule",
            f"`make demo` on {record['machine']['cores']} cores, from nothing but the installed packages, took "
            f"{seconds // 60:.0f} min {seconds % 60:.0f} s; its jobs sum to "
            f"{sum(rule.seconds for rule in rules) / 60:.1f} minutes. Rules of less than two seconds are left out.",
            jobs_table.markdown([rule for rule in rules if rule.seconds >= 2]),
            page.measured(record),
        ]
    )
