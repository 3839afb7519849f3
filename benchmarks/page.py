"""benchmarks/RESULTS.md, made of the records of the measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import measure
from comparison import Comparison, growth
from comparisons import COMPARISONS

PAGE = measure.ROOT / "benchmarks" / "RESULTS.md"

HEAD = """\
# Results of the measurements

`make bench` measures all of this and writes this page; `make bench ONLY=search` measures one. Nothing here passes or
fails. In a comparison each program runs in a process of its own with all cores, in turn (ours, peer, ours, peer, …);
the first round warms up, and in it the results are compared. *Times as fast* is the median of the rounds' ratios, with
the least and the greatest behind it; above 1 ours is faster. Peak memory is that of the process, libraries included.
What was measured on several processors stands here for each, the latest first.
"""


def page(records: Mapping[str, Sequence[Mapping[str, Any]]], sections: Iterable[str], missing: Sequence[str]) -> str:
    """The whole page."""
    parts = [HEAD, summary(records), *sections]
    if missing:
        parts.append(f"Not measured yet: {', '.join(missing)}.")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def of_processors(section: Callable[[Any], str], records: Sequence[Mapping[str, Any]]) -> str:
    """The section of a measurement: of its first record, and of the others the tables and what reads differently."""
    parts = section(records[0]).strip().split("\n\n")
    for record in records[1:]:
        texts = section(record).strip().split("\n\n")
        further = [text for text in texts if text.startswith("|") or text not in parts]
        parts += [f"### On {record['machine']['processor']}", *further]
    return "\n\n".join(parts)


def summary(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """One row a comparison, processor and peer, at the largest size."""
    rows = []
    for comparison, record in ((each, one) for each in COMPARISONS for one in records.get(each.name, ())):
        largest = record["sizes"][-1]
        for peer in comparison.peers:
            ratio = comparison.ratio(record, peer)
            memory = largest["ours"]["peak_megabytes"] / largest["peers"][peer.name]["peak_megabytes"]
            aim = "" if peer.reach is None else f"{peer.reach:g} {'✓' if ratio['median'] >= peer.reach else '✗'}"
            if comparison.memory is not None and peer is comparison.peers[0]:
                aim += f"; memory {comparison.memory:g} {'✓' if memory <= comparison.memory else '✗'}"
            rows.append(
                [
                    f"[{comparison.title}](#{_anchor(comparison.title)})",
                    peer.name,
                    record["machine"]["processor"],
                    f"{largest[comparison.unit]:,} {comparison.unit}",
                    spread(ratio),
                    f"{memory:.2f}",
                    aim,
                ]
            )
    head = ["work", "beside", "processor", "size", "times as fast", "ours / its peak memory", "aim"]
    return "## Beside what a user would pick instead\n\n" + table(head, rows)


def comparison_section(comparison: Comparison, record: Mapping[str, Any]) -> str:
    """A comparison with all its sizes."""
    sizes = record["sizes"]
    columns = ["ours", *(peer.name for peer in comparison.peers)]
    facts = [
        name
        for name, value in sizes[0].items()
        if isinstance(value, int | float) and name != comparison.unit and value != sizes[-1][name]
    ]
    time = comparison.time
    head = [comparison.unit, *(name.replace("_", " ") for name in facts)]
    head += [f"{name}, s" for name in columns] + [f"{name}, CPU s" for name in columns]
    head += [f"{name}, MB" for name in columns] + [f"times as fast as {peer.name}" for peer in comparison.peers]
    rows = []
    for size in sizes:
        programs = [size["ours"], *(size["peers"][peer.name] for peer in comparison.peers)]
        row = [f"{size[comparison.unit]:,}", *(f"{size[name]:,}" for name in facts)]
        row += [seconds(program[time]["median"]) for program in programs]
        row += [seconds(program["cpu_seconds"]["median"]) for program in programs]
        row += [f"{program['peak_megabytes']:,}" for program in programs]
        row += [spread(size["times_as_fast"][peer.name][time]) for peer in comparison.peers]
        rows.append(row)
    power = growth(sizes, comparison.unit, time)
    what = "the work proper, without imports and the loading of models" if time == "work_seconds" else "whole processes"
    notes = [
        f"Seconds are those of {what}; CPU seconds are always of the process. Between the last two sizes the time of "
        f"ours grows with the power {power:.2f} of the size."
    ]
    if whole := record.get("whole"):
        per_second = {name: whole[name] / whole["ours"][time]["median"] for name in facts}
        rates = [f"{rate:,.0f} {name} a second" for name, rate in per_second.items()]
        if (aim := comparison.whole_reach) is not None:
            rates[0] += f", aim {aim:,.0f} {'✓' if per_second[facts[0]] >= aim else '✗'}"
        notes.append(
            f"Ours alone, once, on {whole[comparison.unit]:,} {comparison.unit}: "
            f"{seconds(whole['ours'][time]['median'])} s ({', '.join(rates)}), {whole['ours']['peak_megabytes']:,} MB "
            f"at most; from the last size on the time grows with the power "
            f"{growth([sizes[-1], whole], comparison.unit, time):.2f} (measured {whole['measured']} of "
            f"{whole['commit']})."
        )
    if comparison.why:
        notes.append(f"By a profile taken once by hand (2026-11-28), not with this record: {comparison.why}")
    return "\n\n".join(
        [f"## {comparison.title}", comparison.text, table(head, rows), *notes, measured(record, record["pairs"])]
    )


def measured(record: Mapping[str, Any], rounds: int | None = None) -> str:
    """When, of what, on which machine and with which versions."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gigabytes']} GB"
    often = "" if rounds is None else f" {rounds} rounds;"
    return (
        f"Measured {record['measured']}{' of ' + record['commit'] if record['commit'] else ''} on {where}, load "
        f"{machine['load_when_started']} when it began;{often} {versions}."
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, figures to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def spread(values: Mapping[str, float]) -> str:
    """Median, and least and greatest in brackets."""
    return f"{values['median']:.2f} ({values['least']:.2f}–{values['greatest']:.2f})"


def seconds(value: float) -> str:
    """A time with three digits that count."""
    return f"{value:.2f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _anchor(title: str) -> str:
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter == "-")
