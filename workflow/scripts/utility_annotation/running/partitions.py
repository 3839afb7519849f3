"""What a plan asks SLURM for, and the partitions that SLURM has."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from logging import getLogger
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file
from snakemake_interface_common.exceptions import WorkflowError

from ..common.errors import InputError
from ..readiness.cluster import Partition, Request
from .dry_run import Planned

_SILENT = getLogger("utility_annotation.partitions")
_SILENT.disabled = True


def requests(plan: Planned) -> list[Request]:
    """What the jobs and groups of a plan ask for at their first attempt, each kind once.

    The times of a group's jobs add up, as they run one after the other.

    Raises:
        InputError: the profile's file of partitions cannot be read.
    """
    file = getattr(plan.options, "slurm_partition_config", None)
    try:
        known = read_partition_file(Path(file)) if file else []
    except (WorkflowError, TypeError, KeyError, ValueError) as error:
        raise InputError(f"the partitions cannot be read ({error}).", hint="correct the file.", path=file) from None
    return list(dict.fromkeys(_request(unit, known) for unit in plan.submitted))


def _request(unit: Any, known: list[Any]) -> Request:
    jobs = list(unit.jobs) if unit.is_group() else [unit]
    asked = {
        "runtime": sum(_number(job, "runtime") for job in jobs),
        **{name: max(_number(job, name) for job in jobs) for name in ("mem_mb", "gpu", "_cores")},
    }
    first = jobs[0].resources
    stated = {name: first.get(name) for name in ("gpu_model", "constraint", "slurm_partition") if first.get(name)}
    like = SimpleNamespace(name="", threads=asked["_cores"], resources=asked | stated)
    partition = stated.get("slurm_partition") or (known and get_best_partition(known, like, _SILENT)) or ""
    name = jobs[0].group if unit.is_group() else jobs[0].rule.name
    return Request(name, asked["runtime"], asked["mem_mb"], asked["_cores"], asked["gpu"], partition)


def _number(job: Any, name: str) -> int:
    value = job.resources.get(name, 0)
    return value if isinstance(value, int) else 0


def of_slurm() -> list[Partition] | None:
    """The partitions, an entry for each kind of node; None on a machine without SLURM.

    Raises:
        InputError: SLURM does not answer.
    """
    if shutil.which("sinfo") is None:
        return None
    command = ["sinfo", "--noheader", "--exact", "--format=%P|%l|%m|%c|%G|%a"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        words = " ".join(str(error.stderr or error).split())
        raise InputError(f"SLURM does not answer ({words}).", hint="call this where `sinfo` works.") from None
    return list(read(told))


def read(told: str) -> Iterator[Partition]:
    """The partitions that are up, from what `sinfo` prints."""
    for line in told.splitlines():
        name, longest, memory, cpus, gres, state = line.split("|")
        if state == "up":
            gpus = sum(int(number) for number in re.findall(r"gpu(?::[^:,(]+)?:(\d+)", gres))
            yield Partition(name.rstrip("*"), _minutes(longest), float(memory), float(cpus), gpus, name.endswith("*"))


def _minutes(text: str) -> float:
    """Minutes of a time that SLURM prints: days-hours:minutes:seconds, from the left as many as are needed."""
    if not re.fullmatch(r"(\d+-)?\d+(:\d+){1,2}", text):
        return inf
    days, _, clock = text.rpartition("-")
    *hours, minutes, seconds = map(int, clock.split(":"))
    return int(days or 0) * 1440 + sum(hours) * 60 + minutes + seconds / 60
