"""Running a command and saying what it took, and on which machine: what the measurements share."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        seconds: wall-clock time.
        cpu_seconds: processor time of the process and its children.
        peak_megabytes: peak resident memory of the largest of them, 10^6 bytes.
        said: what the program says of itself in a last line of JSON; ``work_seconds`` is the time of its work proper,
            without imports and the loading of models.
    """

    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    said: dict[str, Any]


def run(command: Sequence[str | Path], folder: Path | None = None) -> Cost:
    """Run a command, in a folder or where the caller is, and wait for it; what it wrote is shown if it fails.

    A process that is started inherits its parent's peak, so the caller must be small: it imports nothing large.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=messages, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), messages.seek(0)
        printed = output.read().decode()
        if process.returncode:
            raise SystemExit(
                f"{command[1]} failed (exit code {process.returncode}):\n{printed}{messages.read().decode()}"
            )
    last = printed.strip().rpartition("\n")[2]
    said = json.loads(last) if last.startswith("{") and last.endswith("}") else {}
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, said)


def summary(costs: Sequence[Cost]) -> dict[str, Any]:
    """Median and range of the times, and the largest peak."""
    times = {
        "seconds": [cost.seconds for cost in costs],
        "work_seconds": [cost.said["work_seconds"] for cost in costs if "work_seconds" in cost.said],
        "cpu_seconds": [cost.cpu_seconds for cost in costs],
    }
    peak = round(max(cost.peak_megabytes for cost in costs))
    return {**{name: spread(values) for name, values in times.items() if values}, "peak_megabytes": peak}


def ratios(ours: Sequence[Cost], peer: Sequence[Cost]) -> dict[str, Any]:
    """How many times as fast ours was as the peer, pair by pair; ``work_seconds`` where both programs say it."""
    pairs = list(zip(ours, peer, strict=True))
    found = {
        "seconds": [second.seconds / first.seconds for first, second in pairs],
        "work_seconds": [
            second.said["work_seconds"] / first.said["work_seconds"]
            for first, second in pairs
            if "work_seconds" in first.said and "work_seconds" in second.said
        ],
        "cpu_seconds": [second.cpu_seconds / first.cpu_seconds for first, second in pairs],
    }
    return {name: spread(values) for name, values in found.items() if values}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        name: round(of(values), 3) for name, of in (("median", statistics.median), ("least", min), ("greatest", max))
    }


def machine(*packages: str) -> dict[str, Any]:
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


def commit() -> str:
    """The commit that was measured, with a + where files were changed since; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def copy_workflow(folder: Path) -> None:
    """Copy the workflow, without what was made with it, into a folder."""
    for name in ("Snakefile", "rules", "workflow", "config", "profiles", "envs", "resources"):
        source = ROOT / name
        shutil.copytree(source, folder / name) if source.is_dir() else shutil.copy(source, folder / name)


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON. Earlier ones of other processors are kept in it, as its ``others``."""
    others = [each for each in records(path) if _processor_of(each) != _processor_of(record)]
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {"others": others} if others else {}
    path.write_text(json.dumps(record | kept, indent=2) + "\n", encoding="utf-8")


def records(path: Path) -> list[dict[str, Any]]:
    """The records in a file, one a processor, the latest first; none if there is no file."""
    if not path.is_file():
        return []
    latest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    others = latest.pop("others", [])
    return [latest, *others]


def record_of_this_processor(path: Path) -> dict[str, Any] | None:
    """The record in a file that was measured on a processor like this one, if there is one."""
    return next((each for each in records(path) if _processor_of(each) == _processor()), None)


def _processor_of(record: dict[str, Any]) -> str:
    return str(record["machine"]["processor"])
