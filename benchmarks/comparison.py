"""Ours beside what a user would pick instead: the same input, the same result, in turn, at several sizes.

Each program runs in a process of its own on all cores of this one machine. A round is one run of ours and then of each
peer; the first round warms up, and in it the results are compared. A ratio is that of two runs of the same round.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import measure

Command = Sequence[str | Path]
Making = Callable[[Path, Path], Command]
"""From the input's folder and the path of the output to the command."""

PROGRAMS = measure.ROOT / "benchmarks" / "programs"
SCRIPTS = measure.ROOT / "workflow" / "scripts"


@dataclass(frozen=True)
class Peer:
    """What ours is measured beside.

    Attributes:
        name: as the page calls it.
        command: makes it.
        reach: how many times as fast ours should be; None where there is no such aim.
        same_result: whether its output must be ours; False for one that does only a part of the work.
    """

    name: str
    command: Making
    reach: float | None = None
    same_result: bool = True


@dataclass(frozen=True)
class Comparison:
    """One kind of work, measured.

    Attributes:
        name: of the record and for the command line.
        title: as the page calls it.
        text: what is measured, and what one should know about it; Markdown.
        unit: what the sizes count.
        sizes: from small to large.
        generate: writes the input of a size into a folder.
        ours: as ``Peer.command``.
        peers: at least one.
        suffix: of the outputs; by it they are compared, see same.py. Without one they are folders.
        packages: whose versions the record states.
        time: the time that decides: of the whole process, or of the work that the programs measure themselves.
        whole: a size that is measured once, of ours alone: the paper's, where the peers would take too long.
        whole_reach: the aim for the whole: how much of the first of the facts a second.
        memory: the largest share of the first peer's peak memory that ours should need, if that is an aim.
        why: where the time goes, by a profile that was taken once by hand; Markdown.
        facts: figures of the input for the record, from its folder.
    """

    name: str
    title: str
    text: str
    unit: str
    sizes: tuple[int, ...]
    generate: Callable[[Path, int], None]
    ours: Making
    peers: tuple[Peer, ...]
    suffix: str
    packages: tuple[str, ...]
    time: str = "seconds"
    whole: int | None = None
    whole_reach: float | None = None
    memory: float | None = None
    why: str = ""
    facts: Callable[[Path], dict[str, int]] = field(default=lambda folder: {})

    def measure(self, pairs: int) -> dict[str, Any]:
        """Measure every size beside the peers; returns the record."""
        return {
            "machine": measure.machine(*self.packages),
            "pairs": pairs,
            "sizes": [self._measure(size, pairs) for size in self.sizes],
        }

    def check(self, size: int) -> None:
        """Run each program once.

        Raises:
            SystemExit: one fails, or ours and a peer do not give the same result.
        """
        with self._input(size) as source:
            self._compared(source)

    def measure_whole(self) -> dict[str, Any]:
        """Measure the whole, once, of ours alone; returns the part of the record named so."""
        assert self.whole is not None, "nothing more is measured of this comparison"
        with self._input(self.whole) as source:
            cost = measure.run(self.ours(source, self._output(source, "ours")))
            return {self.unit: self.whole, **self.facts(source), **_facts([cost]), "ours": measure.summary([cost])}

    def _measure(self, size: int, pairs: int) -> dict[str, Any]:
        with self._input(size) as source:
            first = self._compared(source)
            rounds = []
            for number in range(1, 1 + pairs):
                rounds.append(self._round(source))
                print(f"{self.name} {size:,}: round {number} of {pairs}", file=sys.stderr, flush=True)
            costs = {name: [each[name] for each in rounds] for name in first}
            peers = [peer.name for peer in self.peers]
            return {
                self.unit: size,
                **self.facts(source),
                **_facts(first.values()),
                "ours": measure.summary(costs["ours"]),
                "peers": {peer: measure.summary(costs[peer]) for peer in peers},
                "times_as_fast": {peer: measure.ratios(costs["ours"], costs[peer]) for peer in peers},
            }

    @contextmanager
    def _input(self, size: int) -> Iterator[Path]:
        """A folder with the input of a size, beside which the outputs lie."""
        with tempfile.TemporaryDirectory() as temporary:
            source = Path(temporary) / "input"
            source.mkdir()
            self.generate(source, size)
            yield source

    def _round(self, source: Path) -> dict[str, measure.Cost]:
        """One run of ours and then of each peer."""
        makings = {"ours": self.ours} | {peer.name: peer.command for peer in self.peers}
        return {name: measure.run(making(source, self._output(source, name))) for name, making in makings.items()}

    def _compared(self, source: Path) -> dict[str, measure.Cost]:
        """The first round; compared in a process of its own, for a large caller hides what the programs need."""
        costs = self._round(source)
        for name in (peer.name for peer in self.peers if peer.same_result):
            files = [self._output(source, each) for each in ("ours", name)]
            compare = [sys.executable, measure.ROOT / "benchmarks" / "same.py", *files]
            difference = subprocess.run(compare, check=True, capture_output=True, text=True).stdout.strip()
            if difference:
                raise SystemExit(f"{self.name}: ours and {name} do not give the same result: {difference}")
        return costs

    def _output(self, source: Path, name: str) -> Path:
        return source.parent / f"output of {name}{self.suffix}"

    def ratio(self, record: Mapping[str, Any], peer: Peer) -> dict[str, float]:
        """Times as fast as a peer at the largest size: median, least, greatest."""
        ratio: dict[str, float] = record["sizes"][-1]["times_as_fast"][peer.name][self.time]
        return ratio


def _facts(costs: Iterable[measure.Cost]) -> dict[str, Any]:
    """What the programs say of their work besides its time."""
    return {name: value for cost in costs for name, value in cost.said.items() if name != "work_seconds"}


def growth(sizes: Sequence[dict[str, Any]], unit: str, time: str) -> float:
    """The power of the size with which ours grows between the last two sizes; 1 is linear."""
    small, large = sizes[-2:]
    seconds = large["ours"][time]["median"] / small["ours"][time]["median"]
    return math.log(seconds) / math.log(large[unit] / small[unit])
