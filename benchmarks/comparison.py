"""Ours beside what a user would pick instead: the same input, the same result, in turn, at several sizes.

Each program runs in a process of its own on all cores of this one machine. A round is one run of ours and then of each
peer; the first round warms up, and in it the results are compared. A ratio is that of two runs of the same round.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import measure

Command = Sequence[str | Path]

PROGRAMS = measure.ROOT / "benchmarks" / "programs"
SCRIPTS = measure.ROOT / "workflow" / "scripts"


@dataclass(frozen=True)
class Peer:
    """What ours is measured beside.

    Attributes:
        name: as the page calls it.
        command: from the input's folder and the path of the output to the command.
        reach: how many times as fast ours should be; None where there is no such aim.
        same_result: whether its output must be ours; False for one that does only a part of the work.
    """

    name: str
    command: Callable[[Path, Path], Command]
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
        same: from the two outputs to what is different; empty if nothing is.
        packages: whose versions the record states.
        time: the time that decides: of the whole process, or of the work that the programs measure themselves.
        memory: the largest share of the first peer's peak memory that ours should need, if that is an aim.
        why: what explains the aims that are missed, from profiles; Markdown.
        facts: figures of the input for the record, from its folder.
    """

    name: str
    title: str
    text: str
    unit: str
    sizes: tuple[int, ...]
    generate: Callable[[Path, int], None]
    ours: Callable[[Path, Path], Command]
    peers: tuple[Peer, ...]
    same: Callable[[Path, Path], str]
    packages: tuple[str, ...]
    time: str = "seconds"
    memory: float | None = None
    why: str = ""
    facts: Callable[[Path], dict[str, int]] = field(default=lambda folder: {})

    def measure(self, pairs: int) -> dict[str, Any]:
        """Measure every size; returns the record."""
        return {
            "machine": measure.machine(*self.packages),
            "pairs": pairs,
            "sizes": [self._measure(size, pairs) for size in self.sizes],
        }

    def _measure(self, size: int, pairs: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as temporary:
            source, outputs = Path(temporary) / "input", Path(temporary) / "outputs"
            source.mkdir(), outputs.mkdir()
            self.generate(source, size)
            commands = {"ours": self.ours} | {peer.name: peer.command for peer in self.peers}
            rounds: list[dict[str, measure.Cost]] = []
            for number in range(1 + pairs):
                rounds.append(
                    {name: measure.run(command(source, outputs / name)) for name, command in commands.items()}
                )
                print(f"{self.name} {size:,}: round {number} of {pairs}", file=sys.stderr, flush=True)
                if number == 0:
                    self._compare(outputs)
            costs = {name: [each[name] for each in rounds[1:]] for name in commands}
            peers = [peer.name for peer in self.peers]
            return {
                self.unit: size,
                **self.facts(source),
                **{name: value for name, value in rounds[0]["ours"].said.items() if name != "work_seconds"},
                "ours": measure.summary(costs["ours"]),
                "peers": {peer: measure.summary(costs[peer]) for peer in peers},
                "times_as_fast": {peer: measure.ratios(costs["ours"], costs[peer]) for peer in peers},
            }

    def _compare(self, outputs: Path) -> None:
        for peer in self.peers:
            if peer.same_result and (difference := self.same(outputs / "ours", outputs / peer.name)):
                raise SystemExit(f"{self.name}: ours and {peer.name} do not give the same result: {difference}")

    def ratio(self, record: dict[str, Any], peer: Peer) -> dict[str, float]:
        """Times as fast as a peer at the largest size: median, least, greatest."""
        return record["sizes"][-1]["times_as_fast"][peer.name][self.time]


def growth(sizes: Sequence[dict[str, Any]], unit: str, time: str) -> float:
    """The power of the size with which ours grows between the last two sizes; 1 is linear."""
    small, large = sizes[-2:]
    seconds = large["ours"][time]["median"] / small["ours"][time]["median"]
    return math.log(seconds) / math.log(large[unit] / small[unit])
