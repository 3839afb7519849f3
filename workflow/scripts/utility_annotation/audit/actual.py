"""What a run took beside what its audit predicted, stage by stage, from the records that its jobs left."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.files import read_json
from ..reporting.markup import markdown_table
from ..settings import Settings
from .estimate import Estimate, size_on_disk
from .page import byte_size, hours, tokens
from .report import Audit

_MEBIBYTE = 1 << 20


class Compared(Settings):
    """A stage, predicted and actual, over the jobs of which there is a record of this run.

    A pair is (predicted, actual); None where no job has both.
    """

    stage: str
    jobs: int
    timed: int
    """Jobs with a record of their time."""
    unfinished: int
    """Jobs whose lasting results this run has not left."""
    seconds: tuple[float, float] | None
    gpu_seconds: tuple[float, float] | None
    prompt_tokens: tuple[float, float] | None
    new_tokens: tuple[float, float] | None
    bytes: tuple[float, float] | None
    peak_memory: float | None
    """Bytes, of the job that took most."""


class Comparison(Settings):
    """An audit and the run after it.

    Attributes:
        stages: along the way of the workflow.
        wall_seconds: predicted on the given machine, and actual, from the start of the first job of which there is a
            record to the last result; None without any record.
        usd_a_gpu_hour: the price.
    """

    stages: tuple[Compared, ...]
    wall_seconds: tuple[float, float] | None
    usd_a_gpu_hour: float


@dataclass(frozen=True)
class _Record:
    """What one job left: wall seconds, bytes of memory, tokens, bytes of its lasting outputs; None where unrecorded.

    Attributes:
        started, ended: in Unix seconds.
    """

    seconds: float | None = None
    memory: float | None = None
    started: float | None = None
    ended: float | None = None
    prompt_tokens: float | None = None
    new_tokens: float | None = None
    bytes: float | None = None


def compare(audit: Audit, root: Path = Path()) -> Comparison:
    """An audit with what its jobs took since.

    Args:
        audit: made before the run.
        root: the folder in which the workflow ran.

    Raises:
        InputError: a record is damaged.
    """
    records = [(estimate, _record(estimate, audit.made, root)) for estimate in audit.jobs]
    by_stage: dict[str, list[tuple[Estimate, _Record]]] = defaultdict(list)
    for estimate, record in records:
        by_stage[estimate.job.stage].append((estimate, record))
    started = [record.started for _, record in records if record.started is not None]
    ended = [record.ended for _, record in records if record.ended is not None]
    return Comparison(
        stages=tuple(_compared(stage.stage, by_stage[stage.stage]) for stage in audit.stages),
        wall_seconds=(audit.run.seconds, max(ended) - min(started)) if started else None,
        usd_a_gpu_hour=audit.machine.usd_a_gpu_hour,
    )


def page(comparison: Comparison) -> str:
    """The comparison as a Markdown page."""
    stages, price = comparison.stages, comparison.usd_a_gpu_hour
    lines = ["# Predicted and actual", "", *_time_table(stages), ""]
    lines.append(
        "Time: of all jobs, one after the other. A pair stands for those jobs of a stage of which this run left a "
        "record. Ratio: actual by predicted."
    )
    if comparison.wall_seconds is not None:
        predicted, actual = map(hours, comparison.wall_seconds)
        so_far = " so far" if any(stage.unfinished for stage in stages) else ""
        line = f"Wall time of the whole plan: {predicted} predicted; {actual} from the first job to the last{so_far}."
        lines += ["", line]
    on_gpus = _total(stage.gpu_seconds for stage in stages)
    if on_gpus is not None:
        predicted, actual = (f"{seconds / 3600 * price:,.2f} USD" for seconds in on_gpus)
        lines += ["", f"At {price:g} USD a GPU hour: {predicted} predicted, {actual} actual."]
    without = [stage.stage for stage in stages if not stage.timed]
    if without:
        lines += ["", f"Without a record of time: {', '.join(without)}."]
    unfinished = [f"{stage.stage} ({stage.unfinished:,})" for stage in stages if stage.unfinished]
    if unfinished:
        lines += ["", f"Jobs whose results this run has not left: {', '.join(unfinished)}."]
    lines += ["", "## Tokens and disk", "", *_size_table(stages), ""]
    return "\n".join([*lines, "Tokens that the completion store had are not among the actual ones.", ""])


def _compared(name: str, jobs: Sequence[tuple[Estimate, _Record]]) -> Compared:
    lasting = [(estimate.kept - estimate.aside if estimate.bytes else None, record.bytes) for estimate, record in jobs]
    timed = [(estimate, record.seconds) for estimate, record in jobs if record.seconds is not None]
    memories = [record.memory for _, record in jobs if record.memory is not None]
    return Compared(
        stage=name,
        jobs=len(jobs),
        timed=len(timed),
        unfinished=sum(record.bytes is None for _, record in jobs),
        seconds=_pair((estimate.seconds, seconds) for estimate, seconds in timed),
        gpu_seconds=_pair(
            (estimate.seconds and estimate.gpu_seconds, seconds * estimate.job.gpus) for estimate, seconds in timed
        ),
        prompt_tokens=_pair((estimate.prompt_tokens, record.prompt_tokens) for estimate, record in jobs),
        new_tokens=_pair((estimate.new_tokens, record.new_tokens) for estimate, record in jobs),
        bytes=_pair(lasting),
        peak_memory=max(memories, default=None),
    )


def _pair(values: Iterable[tuple[float | None, float | None]]) -> tuple[float, float] | None:
    """Sums of both over those that have both; None where that is nothing."""
    both = [(predicted, actual) for predicted, actual in values if predicted is not None and actual is not None]
    sums = sum(predicted for predicted, _ in both), sum(actual for _, actual in both)
    return sums if any(sums) else None


def _record(estimate: Estimate, made: float, root: Path) -> _Record:
    job = estimate.job
    lasting = [root / output.path for output in job.outputs if not output.temporary]
    there = all(_since(path, made) for path in lasting)
    seconds, memory = _benchmark(root / job.benchmark, made) if job.benchmark else (None, None)
    benchmark = [root / job.benchmark] if job.benchmark and seconds is not None else []
    times = [path.stat().st_mtime for path in (*benchmark, *lasting) if _since(path, made)]
    record = _Record(
        seconds,
        memory,
        started=None if seconds is None else times[0] - seconds,
        ended=max(times, default=None),
        bytes=sum(map(size_on_disk, lasting)) if there else None,
    )
    asks_llm = job.stage.startswith("annotate_") or job.stage == "generate_answers"
    for summary in (path for path in lasting if asks_llm and path.suffix == ".json" and _since(path, made)):
        read, written = _figures(summary, "prompt_tokens", "new_tokens")
        record = replace(record, prompt_tokens=read, new_tokens=written)
    trained = [path / "training.json" for path in lasting if job.stage == "train"]
    for training in (path for path in trained if record.seconds is None and _since(path, made)):
        (seconds,) = _figures(training, "seconds")
        record = replace(record, seconds=seconds)
    return record


def _since(path: Path, made: float) -> bool:
    return path.exists() and path.stat().st_mtime >= made


def _benchmark(path: Path, made: float) -> tuple[float | None, float | None]:
    """Wall seconds and bytes of memory by a benchmark file of Snakemake's; None where there is none of this run."""
    if not _since(path, made):
        return None, None
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        if not rows:
            return None, None
        memories = [float(row["max_rss"]) * _MEBIBYTE for row in rows if row["max_rss"] not in ("NA", "-")]
        return sum(float(row["s"]) for row in rows), max(memories, default=None)
    except (KeyError, ValueError, TypeError):
        raise InputError(
            "this is no benchmark file of Snakemake's.", hint="remove it; its job then has no actual time.", path=path
        ) from None


def _figures(path: Path, *names: str) -> list[float]:
    """Figures of a record that a job left beside its result."""
    try:
        record: Any = read_json(path)
        return [float(record[name]) for name in names]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "this record of a job is damaged.", hint="remove its job's outputs and run their target again.", path=path
        ) from None


def _time_table(compared: Sequence[Compared]) -> list[str]:
    headings = ("stage", "jobs", "time predicted", "actual", "ratio", "GPU hours predicted", "actual", "largest memory")
    rows = [
        (
            stage.stage,
            f"{stage.timed:,} of {stage.jobs:,}" if stage.timed < stage.jobs else f"{stage.jobs:,}",
            *_cells(stage.seconds, hours),
            _ratio(stage.seconds),
            *_cells(stage.gpu_seconds, hours),
            "" if stage.peak_memory is None else byte_size(stage.peak_memory),
        )
        for stage in compared
        if stage.timed
    ]
    total, on_gpus = _total(stage.seconds for stage in compared), _total(stage.gpu_seconds for stage in compared)
    rows.append(("**in all**", "", *_cells(total, hours), _ratio(total), *_cells(on_gpus, hours), ""))
    return markdown_table(headings, rows, texts=1)


def _size_table(compared: Sequence[Compared]) -> list[str]:
    headings = (
        "stage",
        "prompt tokens predicted",
        "actual",
        "new tokens predicted",
        "actual",
        "disk predicted",
        "actual",
    )
    kinds = ((tokens, "prompt_tokens"), (tokens, "new_tokens"), (byte_size, "bytes"))
    rows = [
        (stage.stage, *(cell for text, kind in kinds for cell in _cells(getattr(stage, kind), text)))
        for stage in compared
        if any(getattr(stage, kind) for _, kind in kinds)
    ]
    sums = [(text, _total(getattr(stage, kind) for stage in compared)) for text, kind in kinds]
    rows.append(("**in all**", *(cell for text, pair in sums for cell in _cells(pair, text))))
    return markdown_table(headings, rows, texts=1)


def _total(pairs: Iterable[tuple[float, float] | None]) -> tuple[float, float] | None:
    known = [pair for pair in pairs if pair is not None]
    return (sum(predicted for predicted, _ in known), sum(actual for _, actual in known)) if known else None


def _cells(pair: tuple[float, float] | None, text: Callable[[float], str]) -> tuple[str, str]:
    return ("", "") if pair is None else (text(pair[0]), text(pair[1]))


def _ratio(pair: tuple[float, float] | None) -> str:
    return f"{pair[1] / pair[0]:.2f}" if pair and pair[0] else ""
