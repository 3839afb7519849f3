"""An audit as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..reporting.markup import markdown_table
from .report import Audit, Stage, UsedRate
from .sizes import Origin
from .tables import UNITS, Rate

_HOUR, _GIGABYTE, _MILLION = 3600, 1e9, 1e6


def page(audit: Audit) -> str:
    """The audit as a Markdown page."""
    lines = [f"# Audit of `{' '.join(('snakemake', *audit.arguments))}`", ""]
    if not audit.jobs:
        return "\n".join([*lines, "Nothing is to be done: every result is there and up to date.", ""])
    lines += [*_stage_table(audit), "", *_remarks(audit), ""]
    lines += ["## Wall time and disk", "", *_run_table(audit), ""]
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
    _, _, *total = _stage_row(audit.total)
    return markdown_table(headings, [*map(_stage_row, audit.stages), ("**in all**", "", *total)], texts=2)


def _stage_row(stage: Stage) -> tuple[str, ...]:
    about = "≈ " if stage.derived else ""
    missing = sum(stage.unknown.values())
    kept = [byte_size(stage.kept)] if stage.kept >= _MILLION / 10 else []
    temporary = [f"{byte_size(stage.temporary)} temporary"] if stage.temporary else []
    return (
        stage.stage,
        ", ".join(f"{reason} ({count:,})" for reason, count in stage.reasons.items()),
        f"{stage.jobs:,}" + (f" ({missing:,} not counted)" if missing else ""),
        f"{about}{hours(stage.gpu_seconds)}" if stage.gpu_seconds else "",
        f"{about}{hours(stage.core_seconds)}" if stage.core_seconds else "",
        tokens(stage.prompt_tokens),
        tokens(stage.new_tokens),
        f"{about}{stage.usd:,.2f}" if stage.usd else "",
        " + ".join([*kept, *temporary]),
    )


def _remarks(audit: Audit) -> Iterator[str]:
    machine, total = audit.machine, audit.total
    if total.gpu_seconds:
        yield f"- GPU hours are those of {machine.gpu} GPUs, at {machine.usd_a_gpu_hour:g} USD each. CPUs cost nothing."
    if any(stage.derived for stage in audit.stages):
        yield "- ≈ marks what rests on a derived rate; the section Rates says how it was derived."
    if total.core_seconds:
        yield "- The time of CPU jobs is coarse: a start, and one rate each for bytes copied, for texts and for rows."
    if total.prompt_tokens:
        yield (
            "- Tokens are what LLMs read (scored texts included) and write. Repeated requests after a bad reply are "
            "not counted. Completions that the store has already cost nothing; which these are is known only when the "
            "jobs ask, so all requests are counted here."
        )
    yield "- The column `why` gives the main reason of each job. The JSON file beside this page has all reasons."
    for stage in audit.stages:
        for what, number in stage.unknown.items():
            yield f"- **Not counted**, so that every sum is too low: {_jobs(number)} of {stage.stage}. It needs {what}."
    for stage in audit.stages:
        if stage.overrunning:
            yield (
                f"- **Too long**: {_jobs(stage.overrunning)} of {stage.stage} take longer than the `runtime` that they "
                f"ask a cluster for; the longest takes {hours(stage.longest)}. Jobs of one group share their time."
            )


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"


def _run_table(audit: Audit) -> Iterator[str]:
    about, now = "≈ " if audit.total.derived else "", audit.on_disk
    columns = {
        "GPUs": [f"{run.gpus}" for run in audit.runs],
        "CPU cores": [f"{run.cores}" for run in audit.runs],
        "wall time": [f"{about}{hours(run.seconds)}" for run in audit.runs],
        "GPUs busy": [f"{run.busy:.0%}" for run in audit.runs],
        "peak disk": [byte_size(now + run.peak) for run in audit.runs],
        "in an unlucky order": [byte_size(now + run.unlucky_peak) for run in audit.runs],
    }
    if not any(run.gpus for run in audit.runs):
        del columns["GPUs"], columns["GPUs busy"]
    yield from markdown_table(list(columns), list(zip(*columns.values(), strict=True)), texts=0)
    yield ""
    yield (
        "This is a simulation: a job starts as soon as the jobs that it needs are done and there is a GPU or core for "
        "it. Jobs that let temporary files go start first, as under Snakemake, and then those that start the longest "
        "chain of jobs. In an unlucky order: the worst of five random orders of the others. The longest chain takes "
        f"{about}{hours(audit.shortest)}, and no number of GPUs is faster. A cluster's queue comes on top. A job that "
        "asks for more GPUs or cores than there are gets those there are, and takes longer."
    )
    yield ""
    yield (
        f"`raw/`, `data/` and `results/` hold {byte_size(now)} now and {byte_size(now + audit.added)} at the end. "
        f"Temporary files have {byte_size(audit.total.temporary)} together; each goes when the last job that reads it "
        "is done."
    )


def _sizes(sizes: Mapping[str, Origin]) -> list[tuple[str, str]]:
    """A row per source, in the order of what they tell."""
    told: dict[str, list[str]] = {}
    for what, origin in sorted(sizes.items()):
        told.setdefault(origin.source, []).append(f"{what}: {origin.size}")
    return [(source, "; ".join(facts)) for source, facts in told.items()]


def _rate_table(rates: Sequence[UsedRate]) -> list[str]:
    """A row per rate, with all models that it was applied to."""
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
