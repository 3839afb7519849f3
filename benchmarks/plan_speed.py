"""How long Snakemake plans: one table of the paper, all of it, and the one job that a cluster's node is given.

Everything is planned from nothing with config/paper.yaml, in a copy of the workflow. For the node's job, the files that
it reads are put there empty, for a plan looks at their times only; the job is then planned with the options that the
cluster's executor gives it.

    python benchmarks/plan_speed.py [--repeats 5] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import measure

WORKFLOW = ("Snakefile", "rules", "workflow", "config", "profiles", "envs", "resources")
LABELS = "human"
NODE = ("--force", "--nolock", "--no-hooks", "--ignore-incomplete", "--target-files-omit-workdir-adjustment")


def plan(*arguments: str) -> measure.Cost:
    """Time of a dry run that prints next to nothing."""
    common = ("--dry-run", "--quiet", "all", "--configfile", "config/paper.yaml")
    return measure.run([sys.executable, "-m", "snakemake", *arguments, *common])


def main() -> None:
    """Measure each plan several times; write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each")
    parser.add_argument("--output", type=Path, default=measure.RESULTS / "plan_speed.json")
    arguments = parser.parse_args()
    output = arguments.output.absolute()
    job = ("--target-jobs", f"merge_labels:labels={LABELS}", "--allowed-rules", "merge_labels", *NODE)
    plans = {"table2": ("table2",), "paper": ("paper",), "submitted job": job}
    record: dict[str, object] = {"machine": measure.machine("snakemake"), "repeats": arguments.repeats}
    with tempfile.TemporaryDirectory() as folder:
        for name in WORKFLOW:
            source, copy = measure.ROOT / name, Path(folder) / name
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
        os.chdir(folder)
        for shard in range(64):
            path = Path(f"results/pools/msmarco-train/{shard:04d}-of-0064.parquet")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for name, targets in plans.items():
            plan(*targets)  # compiles what is imported
            record[name] = measure.summary([plan(*targets) for _ in range(arguments.repeats)])
        os.chdir(measure.ROOT)
    measure.write_record(output, record)


if __name__ == "__main__":
    main()
