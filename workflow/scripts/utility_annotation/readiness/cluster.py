"""What jobs ask a scheduler for, against what its partitions allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from .rows import Row

if TYPE_CHECKING:
    from .run import Run


@dataclass(frozen=True)
class Request:
    """What a job, or a group of jobs, asks for at its first attempt.

    Attributes:
        name: its rule or group.
        minutes, mem_mb: 0 where nothing is asked for.
        partition: the one that it goes to; nothing for the cluster's default.
    """

    name: str
    minutes: int
    mem_mb: int
    cpus: int
    gpus: int
    partition: str = ""


@dataclass(frozen=True)
class Partition:
    """One kind of node of a partition, and the longest time of a job there."""

    name: str
    minutes: float = inf
    mem_mb: float = inf
    cpus: float = inf
    gpus: float = 0
    default: bool = False

    def refuses(self, request: Request) -> str:
        """What of a request is too much; nothing where it fits."""
        figures = {"minutes": "minutes", "mem_mb": "MB of memory", "cpus": "CPUs", "gpus": "GPUs"}
        much = (
            f"{getattr(request, name):,} {unit} of {getattr(self, name):,.0f}"
            for name, unit in figures.items()
            if getattr(request, name) > getattr(self, name)
        )
        return ", ".join(much)


def partitions(run: Run) -> Iterator[Row]:
    """Whether what is submitted fits the partitions that it goes to; any, where this run submits nothing."""
    if run.partitions is None or not run.requests:
        return
    known = list(dict.fromkeys(part.name for part in run.partitions))
    strange = {request.partition for request in run.requests if request.partition} - set(known)
    for name in sorted(strange):
        fix = "write your own into the profile's partitions.yaml: `generate-slurm-partition-config` makes a draft."
        yield Row("partition", name, "not ready", f"SLURM has none of this name; it has {', '.join(known)}", fix)
    misfits: dict[str, tuple[Request, str]] = {}
    for request in sorted(run.requests, key=lambda request: request.minutes):
        parts = [part for part in run.partitions if _goes_to(run, request, part)]
        refusals = {part.name: part.refuses(request) for part in parts}
        if request.partition not in strange and all(refusals.values()):
            name, much = next(iter(refusals.items()), ("", "SLURM has no default partition"))
            lost = "" if request.partition or not run.submits else "fits no partition of the profile, and "
            misfits[request.name] = request, f"{lost}asks too much of partition {name}: {much}" if name else much
    for request, much in misfits.values():
        fix = "ask for less in the profile's `set-resources` or in `performance`, or make smaller shards."
        yield Row("jobs", request.name, "not ready", much, fix)
    if not strange and not misfits:
        yield Row("SLURM", "", "ready", "every job fits a partition")


def _goes_to(run: Run, request: Request, part: Partition) -> bool:
    """Whether a request goes to a partition; where this run submits nothing, it may be any."""
    return not run.submits or (part.name == request.partition if request.partition else part.default)
