"""An audit as a Markdown page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..reporting.markup import markdown_table
from .plan import Audit, Estimate, sums
from .tables import UNITS, Rate


def page(audit: Audit) -> str:
    """The audit as a Markdown page."""
    title = f"# Audit of `{' '.join(('snakemake', *audit.arguments))}`"
    if not audit.jobs:
        return f"{title}\n\nNothing is to be done: every result is there and up to date.\n"
    stages = audit.by_stage()
    headings = ["stage", "jobs", "GPU hours", "CPU core hours", "prompt tokens", "new tokens", "USD", "disk"]
    rows = [_row(audit, name, jobs) for name, jobs in (*stages.items(), ("**in all**", audit.jobs))]
    lines = [title, "", *markdown_table(headings, rows, texts=1), "", *_remarks(audit), "", "## Rates", ""]
    headings, rates = ["device", "work", "model", "rate", "basis", "source"], sorted(map(_rate, audit.rates))
    return "\n".join([*lines, *markdown_table(headings, rates, texts=6), ""])


def hours(seconds: float) -> str:
    """Seconds as hours, or as minutes or seconds where they are few."""
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def byte_size(size: float) -> str:
    """Bytes as GB, MB or kB, whichever they are at least a tenth of."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if abs(size) >= unit / 10:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 1000:,.1f} kB"


def tokens(number: float) -> str:
    """Tokens in millions, or in thousands where they are few; nothing for none."""
    if not number:
        return ""
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number / 1000:,.1f} k"


def _row(audit: Audit, name: str, jobs: Sequence[Estimate]) -> tuple[str, ...]:
    found, missing = sums(jobs), sum(bool(job.unknown) for job in jobs)
    kept = [byte_size(found["kept"])] if found["kept"] >= 1e5 else []
    temporary = [f"{byte_size(found['temporary'])} temporary"] if found["temporary"] else []
    return (
        name,
        f"{len(jobs):,}" + (f" ({missing:,} not counted)" if missing else ""),
        hours(found["gpu_seconds"]) if found["gpu_seconds"] else "",
        hours(found["core_seconds"]) if found["core_seconds"] else "",
        tokens(found["prompt_tokens"]),
        tokens(found["new_tokens"]),
        f"{found['gpu_seconds'] / 3600 * audit.usd_a_gpu_hour:,.2f}" if found["gpu_seconds"] else "",
        " + ".join([*kept, *temporary]),
    )


def _remarks(audit: Audit) -> Iterator[str]:
    total, derived = sums(audit.jobs), sum(rate.basis == "derived" for rate in audit.rates)
    yield f"- GPU hours are those of {audit.gpu} GPUs, at {audit.usd_a_gpu_hour:g} USD each. CPUs cost nothing."
    yield f"- {derived} of {len(audit.rates)} rates are derived, not measured. The time of CPU jobs is coarse."
    yield (
        f"- On {_several(audit.gpus, 'GPU')} and {_several(audit.cores, 'CPU core')} the run takes at least "
        f"{hours(audit.wall_seconds(audit.gpus))}: with all of them always at work, or as long as the longest chain of "
        f"jobs, {hours(audit.longest_chain())}, if that is longer."
    )
    yield (
        f"- `raw/`, `data/` and `results/` hold {byte_size(audit.on_disk)} now, and the run adds "
        f"{byte_size(total['kept'])}. Temporary files have {byte_size(total['temporary'])} together, but each is "
        f"deleted after the last job that reads it; one job reads {byte_size(audit.temporary_at_once())} at most."
    )
    yield "- Tokens are what LLMs read (scored texts included) and write. Retries after a bad reply are not counted."
    for annotator, number in audit.stored.items():
        yield (
            f"- The completion store of {annotator} has {number:,} completions. A job that asks for one of them pays "
            "nothing for it, but it is counted here."
        )
    yield from (f"- **Assumed**: {assumption}." for assumption in audit.assumed)
    for (stage, what), number in Counter((job.job.stage, job.unknown) for job in audit.jobs if job.unknown).items():
        jobs = _several(number, "job")
        yield f"- **Not counted**, so that every sum is too low: {jobs} of {stage}, for lack of {what}."


def _several(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _rate(rate: Rate) -> tuple[str, ...]:
    unit = {"unit": UNITS[rate.work], "FLOP": "FLOP", "weight byte": "bytes of weights"}[rate.per]
    figure = f"{rate.seconds:g} s each" if rate.rate is None else f"{rate.rate:,.4g} {unit}/s"
    return rate.device, rate.work, rate.model or "", figure, rate.basis, rate.source.removeprefix("derived: ")
