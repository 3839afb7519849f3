"""What a run took beside what its audit predicted, stage by stage, from the records that its jobs left."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from ..common.errors import InputError
from ..common.files import read_json
from ..reporting.markup import markdown_table
from .page import byte_size, hours, tokens
from .plan import Audit, Estimate, size_on_disk

Pair = tuple[float, float] | None
"""Predicted and actual, over the jobs that have both; None where none has."""

_FIGURES = {
    "seconds": ("time", hours),
    "gpu_seconds": ("GPU hours", hours),
    "prompt_tokens": ("prompt tokens", tokens),
    "new_tokens": ("new tokens", tokens),
    "results": ("disk", byte_size),
}
"""What is compared, its name and how it is written; it is an attribute of an estimate."""


def compare(audit: Audit) -> dict[str, dict[str, Pair]]:
    """By stage and figure, what its jobs were to take and took since; ``done`` counts those that left anything.

    Raises:
        InputError: a record is damaged.
    """
    found: dict[str, dict[str, Pair]] = {}
    for stage, jobs in audit.by_stage().items():
        records = [(job, _record(job, audit.made)) for job in jobs]
        found[stage] = {
            figure: _sum((getattr(job, figure), record[figure]) for job, record in records if figure in record)
            for figure in _FIGURES
        }
        found[stage]["done"] = len(jobs), sum(bool(record) for _, record in records)
    return found


def page(stages: dict[str, dict[str, Pair]], usd_a_gpu_hour: float) -> str:
    """The comparison as a Markdown page."""
    names = [*_FIGURES, "done"]
    stages = stages | {"**in all**": {name: _sum(filter(None, (s[name] for s in stages.values()))) for name in names}}
    rows = []
    for stage, pairs in stages.items():
        planned, done = pairs["done"] or (0, 0)
        rows.append([stage, f"{done:,} of {planned:,}"])
        for figure, (_, text) in _FIGURES.items():
            pair = pairs[figure]
            rows[-1] += map(text, pair) if pair else ("", "")
    headings = [heading for name, _ in _FIGURES.values() for heading in (f"{name} predicted", "actual")]
    lines = ["# Predicted and actual", "", *markdown_table(["stage", "jobs done", *headings], rows, texts=1), ""]
    lines.append("Each pair sums the jobs that have both figures. Actual tokens leave out stored completions.")
    if on_gpus := stages["**in all**"]["gpu_seconds"]:
        predicted, actual = (f"{seconds / 3600 * usd_a_gpu_hour:,.2f} USD" for seconds in on_gpus)
        lines += ["", f"GPU hours cost {predicted} predicted, {actual} actual."]
    return "\n".join([*lines, ""])


def _sum(pairs: Iterable[tuple[float | None, float]]) -> Pair:
    """Sums of both over those that have both; None where that is nothing."""
    both = [(predicted, actual) for predicted, actual in pairs if predicted is not None]
    sums = sum(predicted for predicted, _ in both), sum(actual for _, actual in both)
    return sums if any(sums) else None


def _record(estimate: Estimate, made: float) -> dict[str, float]:
    """What a job left since then: the figures that it tells; nothing of a job that has not run."""
    job, record = estimate.job, dict[str, float]()
    lasting = [Path(output.path) for output in job.outputs if not output.temporary]
    fresh = [path for path in lasting if _since(path, made)]
    for path in fresh:
        if estimate.prompt_tokens and path.suffix == ".json":
            record |= _figures(path, "prompt_tokens", "new_tokens")
        if _since(path / "training.json", made):
            record |= _figures(path / "training.json", "seconds")
    if fresh and len(fresh) == len(lasting):
        record["results"] = sum(map(size_on_disk, lasting))
    if job.benchmark and _since(Path(job.benchmark), made) and (measured := _figures(Path(job.benchmark), "s")):
        record["seconds"] = measured["s"]
    if "seconds" in record and job.gpus:
        record["gpu_seconds"] = record["seconds"] * job.gpus
    return record


def _since(path: Path, made: float) -> bool:
    return path.exists() and path.stat().st_mtime >= made


def _figures(path: Path, *names: str) -> dict[str, float]:
    """Figures of a JSON record that a job left, or of a benchmark file of Snakemake's; nothing where that is empty."""
    try:
        if path.suffix != ".tsv":
            record = read_json(path)
            return {name: float(record[name]) for name in names}
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
        return {name: sum(float(row[name]) for row in rows) for name in names} if rows else {}
    except (OSError, InputError, ValueError, KeyError, TypeError):
        hint = "delete this record, or run its job again."
        raise InputError("this record of a job is damaged.", hint=hint, path=path) from None
