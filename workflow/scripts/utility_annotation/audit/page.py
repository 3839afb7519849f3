"""An audit as a Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..reporting.markup import markdown_table
from .report import Audit, Disk, Stage, UsedRate
from .sizes import Origin
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
    lines += ["## Sizes", "", *markdown_table(("source", "what it says"), _sizes(audit.sizes), texts=2), ""]
    return "\n".join([*lines, "## Rates", "", *_rate_table(audit.rates), ""])


def hours(seconds: float) -> str:
    """Seconds as hours, or as minutes or seconds where they are few."""
    if seconds >= _HOUR:
        return f"{seconds / _HOUR:,.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def byte_size(size: float) -> str:
    """Bytes as GB, MB or kB, whichever they are at least a tenth of."""
    for unit, name in ((_GIGABYTE, "GB"), (_MILLION, "MB")):
        if abs(size) >= unit / 10:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 1000:,.1f} kB"


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
                *([byte_size(stage.kept)] if stage.kept >= _MILLION / 10 else []),
                *([f"{byte_size(stage.temporary)} temporary"] if stage.temporary else []),
            ]
        ),
    )


def _remarks(audit: Audit) -> list[str]:
    machine, on_gpus = audit.machine, any(stage.gpu_seconds for stage in audit.stages)
    said = [
        f"GPU: {machine.gpu}, {machine.usd_a_gpu_hour:g} USD an hour; CPUs cost nothing." if on_gpus else "",
        "≈: rests on a derived rate, see Rates." if any(stage.derived for stage in audit.stages) else "",
        "Tokens: what an LLM reads (a scored text counts as read) and writes, without repeated requests, and as if no "
        "two jobs asked the same."
        if audit.total.prompt_tokens
        else "",
        "Why: the weightiest reason of each job; all of them stand in the JSON beside this page.",
    ]
    lines = [" ".join(filter(None, said))]
    stored = ", ".join(f"{annotator} {number:,}" for annotator, number in audit.stored.items() if number)
    if stored and audit.total.prompt_tokens:
        lines += [
            "",
            f"Completions in the store: {stored}. Those that the plan asks for again cost nothing; which these are is "
            "known only when the jobs ask, so they are counted here as if they had to be paid.",
        ]
    unknown = [(stage.stage, what, number) for stage in audit.stages for what, number in stage.unknown.items()]
    if unknown:
        lines += ["", "**Not counted**, so that every sum here is too little:", ""]
        lines += [f"- {stage}, {_jobs(number)}, for lack of {what}." for stage, what, number in unknown]
    overrunning = [
        f"{stage.stage} ({_jobs(stage.overrunning)}, the longest takes {hours(stage.longest)})"
        for stage in audit.stages
        if stage.overrunning
    ]
    if overrunning:
        lines += [
            "",
            f"**Longer than the wall time that they ask for** (`runtime`), so that a cluster would end them: "
            f"{', '.join(overrunning)}.",
        ]
    return lines


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"


def _run_table(audit: Audit) -> list[str]:
    about = "≈ " if audit.total.derived else ""
    columns = {
        "GPUs": [f"{run.gpus}" for run in audit.runs],
        "CPU cores": [f"{run.cores}" for run in audit.runs],
        "wall time": [f"{about}{hours(run.seconds)}" for run in audit.runs],
        "GPUs busy": [f"{run.busy:.0%}" for run in audit.runs],
        "peak disk": [byte_size(run.peak) for run in audit.runs],
        "in an unlucky order": [byte_size(run.unlucky_peak) for run in audit.runs],
    }
    if not any(run.gpus for run in audit.runs):
        del columns["GPUs"], columns["GPUs busy"]
    rows = list(zip(*columns.values(), strict=True))
    remark = (
        f"The longest chain of jobs that wait for each other takes {about}{hours(audit.shortest)}; a cluster's queues "
        "come on top. Jobs of a group share an allocation. A job that asks for more GPUs or cores than there are gets "
        "those there are, for longer. What lets temporary files go is started first, as Snakemake does, and of the "
        "rest what has the longest way before it; in an unlucky order: the rest in the worst of five random orders."
    )
    return [*markdown_table(list(columns), rows, texts=0), "", remark]


def _disk_table(disk: Disk) -> list[str]:
    rows = [
        ("now", byte_size(disk.now)),
        ("at the peak", byte_size(disk.peak)),
        ("at the end", byte_size(disk.left)),
        ("all temporary files together, if none of them went", byte_size(disk.temporary)),
    ]
    return markdown_table(("`raw/`, `data/` and `results/`", "size"), rows, texts=1)


def _sizes(sizes: Mapping[str, Origin]) -> list[tuple[str, str]]:
    """A row a source, in the order of what they tell."""
    told: dict[str, list[str]] = {}
    for what, origin in sorted(sizes.items()):
        told.setdefault(origin.source, []).append(f"{what}: {origin.size}")
    return [(source, "; ".join(facts)) for source, facts in told.items()]


def _rate_table(rates: Sequence[UsedRate]) -> list[str]:
    """A row a rate, with all models that it was applied to."""
    models: dict[tuple[str, ...], list[str]] = {}
    for used in sorted(rates, key=lambda used: (used.device, used.work, used.model)):
        rate = used.rate
        cores = f" on {rate.cores} cores" if rate.cores > 1 else ""
        figure = (used.device, used.work, _figure(rate) + cores, rate.basis, rate.source.removeprefix("derived: "))
        models.setdefault(figure, []).append(used.model)
    rows = [(device, work, ", ".join(names), *rest) for (device, work, *rest), names in models.items()]
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
