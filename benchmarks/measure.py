"""Running a command and saying what it took, and on which machine: what the measurements share."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Cost:
    """What a process took: wall-clock and processor time in seconds, and its peak resident memory in megabytes."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


def run(command: Sequence[str | Path]) -> Cost:
    """Run a command and wait for it; its output is shown if it fails.

    A process that is started inherits its parent's peak, so the caller must be small: it imports nothing large.
    """
    start = time.perf_counter()
    with subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        messages = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[1]} failed (exit code {process.returncode}): {messages.decode()}")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def in_turn(ours: Callable[[], Cost], peer: Callable[[], Cost], pairs: int) -> tuple[list[Cost], list[Cost]]:
    """Measure both ``pairs`` times: ours, peer, ours, peer, …"""
    measured = [(ours(), peer()) for _ in range(pairs)]
    return [first for first, _ in measured], [second for _, second in measured]


def summary(costs: Sequence[Cost]) -> dict[str, object]:
    """Median and range of the times, and the largest peak."""
    return {
        "seconds": spread([cost.seconds for cost in costs]),
        "cpu_seconds": spread([cost.cpu_seconds for cost in costs]),
        "peak_megabytes": round(max(cost.peak_megabytes for cost in costs)),
    }


def ratios(ours: Sequence[Cost], peer: Sequence[Cost]) -> dict[str, object]:
    """How many times as fast ours was as the peer, pair by pair."""
    pairs = list(zip(ours, peer, strict=True))
    return {
        "seconds": spread([second.seconds / first.seconds for first, second in pairs]),
        "cpu_seconds": spread([second.cpu_seconds / first.cpu_seconds for first, second in pairs]),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        name: round(of(values), 2) for name, of in (("median", statistics.median), ("least", min), ("greatest", max))
    }


def machine(*packages: str) -> dict[str, object]:
    """The machine's description, and the versions of Python and of ``packages``."""
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_when_started": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version()} | versions,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write_record(path: Path, record: dict[str, object]) -> None:
    """Write a record as JSON and show it."""
    text = json.dumps(record, indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    print(text)
