"""Time and memory by rule, as a Markdown table, from the benchmark files that a run of the workflow leaves.

python benchmarks/jobs_table.py [FOLDER]
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Rule:
    """What the jobs of one rule took.

    Attributes:
        name: the rule.
        jobs: how many ran.
        seconds: wall-clock seconds, summed over the jobs.
        peak: resident memory of the job that took most, in MiB; None where all ended before Snakemake looked.
    """

    name: str
    jobs: int
    seconds: float
    peak: float | None


def read_rules(folder: Path) -> list[Rule]:
    """Sum Snakemake's benchmark files ``folder/RULE/JOB.tsv`` by rule, the longest rule first."""
    rules = []
    for rule_folder in filter(Path.is_dir, folder.iterdir()):
        rows = [row for path in sorted(rule_folder.glob("*.tsv")) for row in _rows(path)]
        if rows:
            peaks = [float(row["max_rss"]) for row in rows if row["max_rss"] != "NA"]
            seconds = sum(float(row["s"]) for row in rows)
            rules.append(Rule(rule_folder.name, len(rows), seconds, max(peaks, default=None)))
    return sorted(rules, key=lambda rule: (-rule.seconds, rule.name))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def markdown(rules: Sequence[Rule]) -> str:
    """The table, a row a rule."""
    lines = ["| rule | jobs | seconds | memory of the biggest job, MiB |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {rule.name} | {rule.jobs} | {rule.seconds:,.0f} | {'' if rule.peak is None else f'{rule.peak:,.0f}'} |"
        for rule in rules
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the benchmark files and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "benchmarks" / "jobs", help="benchmark files")
    folder = parser.parse_args(argv).folder
    rules = read_rules(folder) if folder.is_dir() else []
    if not rules:
        parser.error(f"{folder} holds no benchmark files; run the workflow first, it writes one a job")
    print(markdown(rules))


if __name__ == "__main__":
    main()
