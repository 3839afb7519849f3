"""Run the measurements and write the page of their results.

    python benchmarks/bench.py                       # all of them (hours; nothing else should run beside them)
    python benchmarks/bench.py search labels         # these
    python benchmarks/bench.py --pairs 2 search      # fewer rounds
    python benchmarks/bench.py --whole pool          # only what is measured once, of ours alone
    python benchmarks/bench.py --page                # only write the page again

Each writes its record to benchmarks/results/NAME.json, beside the last record of every other processor;
benchmarks/RESULTS.md is made of the records.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import demo
import document_speed
import measure
import page
import plan_speed
import start_up
import store_speed
import vllm_speed
from comparisons import COMPARISONS

Record = dict[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """What can be measured, and how the page shows it.

    Attributes:
        measure: is given the number of rounds, makes the record.
        section: of a record.
        whole: makes the part of the record that is named so; see ``Comparison.whole``.
    """

    measure: Callable[[int], Record]
    section: Callable[[Record], str]
    whole: Callable[[], Record] | None = None


BENCHMARKS = {
    each.name: Benchmark(
        each.measure, partial(page.comparison_section, each), each.measure_whole if each.whole else None
    )
    for each in COMPARISONS
} | {
    "start-up": Benchmark(start_up.measure_starts, start_up.section),
    "vllm": Benchmark(vllm_speed.measure_vllm, vllm_speed.section),
    "documents": Benchmark(document_speed.measure_documents, document_speed.section),
    "store": Benchmark(store_speed.measure_store, store_speed.section),
    "plans": Benchmark(plan_speed.measure_plans, plan_speed.section),
    "demo": Benchmark(lambda rounds: demo.measure_demo(), demo.section),
    "scale": Benchmark(lambda rounds: _scale().measure(), lambda record: _scale().section(record)),
}
"""By name, in the order in which they run and stand on the page."""


def main(argv: Sequence[str] | None = None) -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BENCHMARKS)}; all without any")
    parser.add_argument("--pairs", type=int, default=5, help="rounds after the one that warms up (default: 5)")
    parser.add_argument("--whole", action="store_true", help="only what is measured once and of ours alone")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page only")
    arguments = parser.parse_args(argv)
    if unknown := [name for name in arguments.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    names = arguments.names or [name for name in BENCHMARKS if BENCHMARKS[name].whole or not arguments.whole]
    for name in names if arguments.whole else ():
        if BENCHMARKS[name].whole is None or measure.record_of_this_processor(_record(name)) is None:
            parser.error(f"--whole: {name} has nothing that is measured of ours alone, or no record of this processor")
    if arguments.pairs < 1:
        parser.error("--pairs must be at least 1")
    for name in [] if arguments.page else names:
        _measure(name, arguments.pairs, whole_only=arguments.whole)
    page.PAGE.write_text(whole_page(), encoding="utf-8")
    print(page.PAGE.relative_to(measure.ROOT), file=sys.stderr)


def _measure(name: str, pairs: int, *, whole_only: bool) -> None:
    """Measure one and write its record."""
    path, benchmark = _record(name), BENCHMARKS[name]
    stamp = {"measured": datetime.date.today().isoformat(), "commit": measure.commit()}
    if not whole_only:
        measure.write_record(path, stamp | benchmark.measure(pairs))
    if benchmark.whole is not None:
        whole = stamp | benchmark.whole()
        record = measure.record_of_this_processor(path)
        assert record is not None, "written above, or seen on the command line"
        measure.write_record(path, record | {"whole": whole})


def whole_page() -> str:
    """The page of all records that are there."""
    records = {name: found for name in BENCHMARKS if (found := measure.records(_record(name)))}
    sections = [page.of_processors(BENCHMARKS[name].section, found) for name, found in records.items()]
    return page.page(records, sections, [name for name in BENCHMARKS if name not in records])


def _record(name: str) -> Path:
    return measure.RESULTS / f"{name}.json"


def _scale() -> ModuleType:
    """Loaded where it is needed, for it loads the library, and a process counts its parent's memory as its own."""
    import scale

    return scale


if __name__ == "__main__":
    main()
