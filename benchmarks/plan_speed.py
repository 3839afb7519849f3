"""How long Snakemake plans: one table of the paper, all of it, and the one job that a cluster's node is given.

Everything is planned from nothing with config/paper.yaml, in a copy of the workflow. For the node's job, the files that
it reads are put there empty, for a plan looks at their times only; the job is then planned with the options that the
cluster's executor gives it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import measure
import page

LABELS = "human"
NODE = ("--force", "--nolock", "--no-hooks", "--ignore-incomplete", "--target-files-omit-workdir-adjustment")
PLANS = {
    "`table2`": ("table2",),
    "`paper`, that is everything": ("paper",),
    "the one job that a cluster's node is given": (
        "--target-jobs",
        f"merge_labels:labels={LABELS}",
        "--allowed-rules",
        "merge_labels",
        *NODE,
    ),
}


def measure_plans(rounds: int) -> dict[str, Any]:
    """Measure each plan several times, after one that compiles what is imported."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        measure.copy_workflow(folder)
        for shard in range(64):
            path = folder / f"results/pools/msmarco-train/{shard:04d}-of-0064.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        plans = {}
        for name, targets in PLANS.items():
            _plan(folder, *targets)
            plans[name] = measure.summary([_plan(folder, *targets) for _ in range(rounds)])
    return {"machine": measure.machine("snakemake"), "rounds": rounds, "plans": plans}


def _plan(folder: Path, *arguments: str) -> measure.Cost:
    """A dry run that prints next to nothing."""
    common = ("--dry-run", "--quiet", "all", "--configfile", "config/paper.yaml")
    return measure.run([sys.executable, "-m", "snakemake", *arguments, *common], folder)


def section(record: Mapping[str, Any]) -> str:
    """A row a plan."""
    rows = [
        [name, page.spread(plan["seconds"]), page.spread(plan["cpu_seconds"]), f"{plan['peak_megabytes']:,}"]
        for name, plan in record["plans"].items()
    ]
    return "\n\n".join(
        [
            "## Plans",
            "Dry runs with config/paper.yaml, from nothing:",
            page.table(["what is planned", "seconds", "CPU seconds", "memory, MB"], rows),
            page.measured(record, record["rounds"]),
        ]
    )
