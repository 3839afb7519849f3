"""What a run took beside what its audit predicted, stage by stage, from the records that its jobs left."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.files import read_json
from ..planning.resources import REQUESTS
from ..reporting.markup import markdown_table
from ..settings import Settings
from .estimate import Estimate, size_on_disk
from .page import byte_size, hours, tokens
from .report import Audit

_MEBIBYTE = 1 << 20

Pair = tuple[float, float] | None
"""Predicted and actual, over the jobs that have both; None where none has."""

_FIGURES = ("seconds", "gpu_seconds", "prompt_tokens", "new_tokens", "bytes")
"""What is compared: seconds of wall time and of GPUs, tokens, and bytes of lasting outputs."""


class Compared(Settings):
    """A stage, predicted and actual."""

    stage: str
    jobs: int
    timed: int
    """Jobs with a record of their time."""
    unfinished: int
    """Jobs whose lasting results this run has not left."""
    pairs: dict[str, Pair]
    """By figure: seconds, gpu_seconds, prompt_tokens, new_tokens and bytes."""
    peak_memory: float | None
    """Bytes, of the job that took most."""


class Comparison(Settings):
    """An audit and the run after it."""

    stages: tuple[Compared, ...]
    """Along the way of the workflow."""
    wall_seconds: Pair
    """Predicted on the given machine, and from the start of the first job with a record to the last result."""
    usd_a_gpu_hour: float


Record = Mapping[str, float | None]
"""What one job left: ``_FIGURES``, bytes of memory, and when it started and ended in Unix seconds; None or nothing
where that is unrecorded.
"""


def compare(audit: Audit) -> Comparison:
    """An audit with what its jobs took since.

    Raises:
        InputError: a record is damaged.
    """
    by_stage: dict[str, list[tuple[Estimate, Record]]] = {stage.stage: [] for stage in audit.stages}
    for estimate in audit.jobs:
        by_stage[estimate.job.stage].append((estimate, _record(estimate, audit.made)))
    records = [record for jobs in by_stage.values() for _, record in jobs]
    started, ended = _known(records, "started"), _known(records, "ended")
    return Comparison(
        stages=tuple(_compared(stage, jobs) for stage, jobs in by_stage.items()),
        wall_seconds=(audit.run.seconds, max(ended) - min(started)) if started else None,
        usd_a_gpu_hour=audit.machine.usd_a_gpu_hour,
    )


def page(comparison: Comparison) -> str:
    """The comparison as a Markdown page."""
    stages, price = comparison.stages, comparison.usd_a_gpu_hour
    timed = [stage for stage in stages if stage.timed]
    extra = {
        "ratio": [_ratio(pair) for pair in _column(timed, "seconds")],
        "largest memory": [byte_size(stage.peak_memory) if stage.peak_memory else "" for stage in timed] + [""],
    }
    lines = [
        "# Predicted and actual",
        "",
        *_table(timed, {"time": ("seconds", hours), "GPU hours": ("gpu_seconds", hours)}, extra),
        "",
    ]
    lines.append("Time is the sum over the jobs that this run left a record of. Ratio: actual divided by predicted.")
    if comparison.wall_seconds is not None:
        predicted, actual = map(hours, comparison.wall_seconds)
        so_far = " so far" if any(stage.unfinished for stage in stages) else ""
        line = f"Wall time of the whole plan: {predicted} predicted; {actual} from the first job to the last{so_far}."
        lines += ["", line]
    if on_gpus := _column(stages, "gpu_seconds")[-1]:
        predicted, actual = (f"{seconds / 3600 * price:,.2f} USD" for seconds in on_gpus)
        lines += ["", f"At {price:g} USD per GPU hour: {predicted} predicted, {actual} actual."]
    if without := [stage.stage for stage in stages if not stage.timed]:
        lines += ["", f"Without a record of time: {', '.join(without)}."]
    if unfinished := [f"{stage.stage} ({stage.unfinished:,})" for stage in stages if stage.unfinished]:
        lines += ["", f"Jobs whose results this run has not left: {', '.join(unfinished)}."]
    kinds = {
        "prompt tokens": ("prompt_tokens", tokens),
        "new tokens": ("new_tokens", tokens),
        "disk": ("bytes", byte_size),
    }
    sized = [stage for stage in stages if any(stage.pairs[figure] for figure, _ in kinds.values())]
    lines += ["", "## Tokens and disk", "", *_table(sized, kinds), ""]
    return "\n".join([*lines, "The actual tokens leave out those that the completion store had already.", ""])


def _compared(name: str, jobs: Sequence[tuple[Estimate, Record]]) -> Compared:
    records = [record for _, record in jobs]
    predicted = [
        {figure: getattr(estimate, figure) for figure in ("seconds", "prompt_tokens", "new_tokens")}
        | {
            "gpu_seconds": estimate.seconds and estimate.gpu_seconds,
            "bytes": estimate.kept - estimate.aside if estimate.bytes else None,
        }
        for estimate, _ in jobs
    ]
    return Compared(
        stage=name,
        jobs=len(jobs),
        timed=len(_known(records, "seconds")),
        unfinished=len(jobs) - len(_known(records, "bytes")),
        pairs={
            figure: _sum((p[figure], r.get(figure)) for p, r in zip(predicted, records, strict=True))
            for figure in _FIGURES
        },
        peak_memory=max(_known(records, "memory"), default=None),
    )


def _known(records: Iterable[Record], name: str) -> list[float]:
    return [value for record in records if (value := record.get(name)) is not None]


def _sum(pairs: Iterable[tuple[float | None, float | None]]) -> Pair:
    """Sums of both over those that have both; None where that is nothing."""
    both = [(predicted, actual) for predicted, actual in pairs if predicted is not None and actual is not None]
    sums = sum(predicted for predicted, _ in both), sum(actual for _, actual in both)
    return sums if any(sums) else None


def _record(estimate: Estimate, made: float) -> Record:
    job = estimate.job
    record: dict[str, float | None] = {}
    work = REQUESTS[job.stage].work if job.stage in REQUESTS else None
    lasting = [Path(output.path) for output in job.outputs if not output.temporary]
    fresh = [path for path in lasting if _since(path, made)]
    for path in fresh:
        if work in ("annotation", "answering") and path.suffix == ".json":
            record |= _figures(path, "prompt_tokens", "new_tokens")
        if work == "training" and _since(path / "training.json", made):
            record |= _figures(path / "training.json", "seconds")
    if len(fresh) == len(lasting):
        record["bytes"] = sum(map(size_on_disk, lasting))
    ends = [path.stat().st_mtime for path in fresh]
    if job.benchmark and _since(Path(job.benchmark), made) and (measured := _benchmark(Path(job.benchmark))):
        end = Path(job.benchmark).stat().st_mtime
        record |= measured | {"started": end - measured["seconds"]}
        ends.append(end)
    seconds = record.get("seconds")
    return record | {"ended": max(ends, default=None), "gpu_seconds": None if seconds is None else seconds * job.gpus}


def _since(path: Path, made: float) -> bool:
    return path.exists() and path.stat().st_mtime >= made


def _benchmark(path: Path) -> dict[str, float]:
    """Wall seconds and bytes of memory by a benchmark file of Snakemake's; nothing where it is empty."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        memories = [float(row["max_rss"]) * _MEBIBYTE for row in rows if row["max_rss"] not in ("NA", "-")]
        found = {"seconds": sum(float(row["s"]) for row in rows)} if rows else {}
        return found | ({"memory": max(memories)} if memories else {})
    except (KeyError, ValueError, TypeError):
        raise InputError(
            "this is no benchmark file of Snakemake's.", hint="remove it; its job then has no actual time.", path=path
        ) from None


def _figures(path: Path, *names: str) -> dict[str, float]:
    """Figures of a record that a job left beside its result."""
    try:
        record: Any = read_json(path)
        return {name: float(record[name]) for name in names}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "this record of a job is damaged.", hint="remove its job's outputs and run their target again.", path=path
        ) from None


def _column(stages: Sequence[Compared], figure: str) -> list[Pair]:
    """The pair of each stage, and their sum."""
    pairs = [stage.pairs[figure] for stage in stages]
    return [*pairs, _sum(pair for pair in pairs if pair)]


def _table(
    stages: Sequence[Compared],
    kinds: Mapping[str, tuple[str, Callable[[float], str]]],
    extra: Mapping[str, list[str]] | None = None,
) -> list[str]:
    """A row per stage and one of sums, two columns per kind of figure, and the extra columns."""
    counts = [
        f"{stage.timed:,} of {stage.jobs:,}" if stage.timed < stage.jobs else f"{stage.jobs:,}" for stage in stages
    ]
    columns = [("stage", [*(stage.stage for stage in stages), "**in all**"]), ("timed jobs", [*counts, ""])]
    for kind, (figure, text) in kinds.items():
        for place, heading in enumerate((f"{kind} predicted", "actual")):
            columns.append((heading, [text(pair[place]) if pair else "" for pair in _column(stages, figure)]))
    columns += list((extra or {}).items())
    headings, cells = zip(*columns, strict=True)
    return markdown_table(headings, list(zip(*cells, strict=True)), texts=1)


def _ratio(pair: Pair) -> str:
    return f"{pair[1] / pair[0]:.2f}" if pair and pair[0] else ""
