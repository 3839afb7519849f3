"""An audit as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence

from ..reporting.markup import markdown_table
from .report import Audit, Disk, Stage, UsedRate
from .tables import UNITS, Rate

_HOUR, _GIGABYTE, _MILLION = 3600, 1e9, 1e6


def page(audit: Audit) -> str:
    """The audit as a Markdown page."""
    lines = [f"# Audit of `{' '.join(('snakemake', *audit.arguments))}`", ""]
    if not audit.jobs:
        return "\n".join([*lines, "Nothing is to be done: every result is there and up to date.", ""])
    lines += [*_stage_table(audit), "", *_remarks(audit), ""]
    lines += ["## Wall time", "", *_run_table(audit), ""]
    lines += ["## Disk", "", *_disk_table(audit.disk), ""]
    lines += ["## Sizes", "", *markdown_table(("what", "size, and where from"), _sizes(audit), texts=2), ""]
    return "\n".join([*lines, "## Rates", "", *_rate_table(audit.rates), ""])


def hours(seconds: float) -> str:
    """Seconds as hours, or as minutes or seconds where they are few."""
    if seconds >= _HOUR:
        return f"{seconds / _HOUR:,.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def gigabytes(size: float) -> str:
    """Bytes as GB, or as MB where they are few."""
    return f"{size / _GIGABYTE:,.1f} GB" if size >= _GIGABYTE / 10 else f"{size / _MILLION:,.1f} MB"


def tokens(number: float) -> str:
    """Tokens in millions, or in thousands where they are few; nothing for none."""
    if not number:
        return ""
    return f"{number / _MILLION:,.1f} M" if number >= _MILLION else f"{number / 1000:,.1f} k"


def _stage_table(audit: Audit) -> list[str]:
    headings = ("stage", "why", "jobs", "GPU hours", "CPU core hours", "prompt tokens", "new tokens", "USD", "disk")
    rows = [_stage_row(stage) for stage in audit.stages]
    _, _, *total = _stage_row(audit.total)
    return markdown_table(headings, [*rows, ("**in all**", "", *total)], texts=2)


def _stage_row(stage: Stage) -> tuple[str, ...]:
    about = "≈ " if stage.derived else ""
    missing = sum(stage.unknown.values())
    left_out = f" ({missing:,} not counted)" if missing else ""
    return (
        stage.stage,
        ", ".join(f"{reason} ({count:,})" for reason, count in stage.reasons.items()),
        f"{stage.jobs:,}{left_out}",
        f"{about}{hours(stage.gpu_seconds)}" if stage.gpu_seconds else "",
        f"{about}{hours(stage.core_seconds)}" if stage.core_seconds else "",
        tokens(stage.prompt_tokens),
        tokens(stage.new_tokens),
        f"{about}{stage.usd:,.2f}" if stage.usd else "",
        " + ".join(
            [
                *([gigabytes(stage.kept)] if stage.kept >= _MILLION / 10 else []),
                *([f"{gigabytes(stage.temporary)} temporary"] if stage.temporary else []),
            ]
        ),
    )


def _remarks(audit: Audit) -> list[str]:
    lines = [
        f"GPU: {audit.gpu}, {audit.usd_a_gpu_hour:g} USD an hour. ≈: rests on a derived rate; see Rates. "
        "Tokens: what an LLM reads (a scored text counts as read) and writes, without repeated requests. "
        "The weightiest reason of a job counts; all of them stand in the JSON beside this page.",
    ]
    stored = ", ".join(f"{annotator} {number:,}" for annotator, number in audit.stored.items() if number)
    if stored:
        lines += [
            "",
            f"Completions in the store: {stored}. Those that the plan asks for again cost nothing; which these are is "
            "known only when the jobs ask, so they are counted here as if they had to be paid.",
        ]
    unknown = [(stage.stage, what, number) for stage in audit.stages for what, number in stage.unknown.items()]
    if unknown:
        lines += ["", "**Not counted**, so that every sum here is too little:", ""]
        lines += [f"- {stage} ({number:,} jobs): not known is {what}." for stage, what, number in unknown]
    return lines


def _run_table(audit: Audit) -> list[str]:
    about = "≈ " if audit.total.derived else ""
    columns = {
        "GPUs": [f"{run.gpus}" for run in audit.runs],
        "CPU cores": [f"{run.cores}" for run in audit.runs],
        "wall time": [f"{about}{hours(run.seconds)}" for run in audit.runs],
        "GPUs busy": [f"{run.busy:.0%}" for run in audit.runs],
        "peak disk": [gigabytes(run.peak) for run in audit.runs],
    }
    if not any(run.gpus for run in audit.runs):
        del columns["GPUs"], columns["GPUs busy"]
    rows = list(zip(*columns.values(), strict=True))
    remark = (
        f"The longest chain of jobs that wait for each other takes {about}{hours(audit.shortest)}. Jobs of a group share "
        "an allocation. A job that asks for more GPUs or cores than there are gets those there are, for longer. A "
        "cluster's queues come on top."
    )
    return [*markdown_table(list(columns), rows, texts=0), "", remark]


def _disk_table(disk: Disk) -> list[str]:
    rows = [
        ("now", gigabytes(disk.now)),
        ("at the peak", gigabytes(disk.peak)),
        ("at the end", gigabytes(disk.left)),
        ("all temporary files together, if none of them went", gigabytes(disk.temporary)),
    ]
    return markdown_table(("`raw/`, `data/` and `results/`", "size"), rows, texts=1)


def _sizes(audit: Audit) -> list[tuple[str, str]]:
    return sorted(audit.sizes.items())


def _rate_table(rates: Sequence[UsedRate]) -> list[str]:
    rows = []
    for used in sorted(rates, key=lambda used: (used.device, used.work, used.model)):
        rate = used.rate
        cores = f" on {rate.cores} cores" if rate.cores > 1 else ""
        source = rate.source.removeprefix("derived: ")
        rows.append((used.device, used.work, used.model, _figure(rate) + cores, rate.basis, source))
    return markdown_table(("device", "work", "model", "rate", "basis", "source"), rows, texts=6)


def _figure(rate: Rate) -> str:
    if rate.seconds is not None:
        return f"{rate.seconds:g} s each"
    assert rate.rate is not None, "a rate has one of the two"
    unit = {"unit": UNITS[rate.work], "FLOP": "FLOP", "weight byte": "bytes of weights"}[rate.per]
    for size, name in ((1e12, "trillion "), (1e9, "billion "), (1e6, "million ")):
        if rate.rate >= size:
            return f"{rate.rate / size:,.3g} {name}{unit}/s"
    return f"{rate.rate:,.0f} {unit}/s"
