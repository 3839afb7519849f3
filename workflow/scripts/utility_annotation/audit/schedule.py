"""A plan in simulated time: how long it takes on so many GPUs and cores, and how full the disk gets meanwhile.

List scheduling: whenever something ends, whatever is ready and fits is started. First comes what lets temporary files
go, then what has the longest way before it. Outputs lie on the disk from the start of their job, temporary files until
the last job that takes them is done.
"""

from __future__ import annotations

import heapq
import random
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from .estimate import Estimate


@dataclass(frozen=True)
class Task:
    """What is started as one: a job, or the jobs of a group, which share an allocation.

    Attributes:
        seconds: wall seconds on its GPUs and cores.
        gpus, cores: what it asks for.
        needs: tasks that have to be done before.
        kept: bytes that it leaves for good, less those that it replaces.
        temporary: bytes of each temporary file that it makes, by path.
        takes: temporary files that it reads.
        scratch: bytes beside these while it runs.
    """

    id: int
    seconds: float
    gpus: int = 0
    cores: int = 1
    needs: frozenset[int] = frozenset()
    kept: float = 0
    temporary: Mapping[str, float] = field(default_factory=dict)
    takes: frozenset[str] = frozenset()
    scratch: float = 0


@dataclass(frozen=True)
class Schedule:
    """A simulated run.

    Attributes:
        gpus, cores: what there was.
        seconds: wall seconds.
        busy: share of the GPUs' time in which they worked; 0 without GPUs.
        peak: most bytes that lay on the disk at a time beyond those before the run.
        left: bytes beyond those before the run at its end.
        ended: the second in which each task ended, by id.
    """

    gpus: int
    cores: int
    seconds: float
    busy: float
    peak: float
    left: float
    ended: dict[int, float]


def tasks(estimates: Sequence[Estimate]) -> list[Task]:
    """The tasks of a plan. A job whose time is not known takes none."""
    single = {estimate.job.id: _task(estimate) for estimate in estimates}
    group_of = _groups(estimates)
    members: dict[int, list[Task]] = defaultdict(list)
    for number, task in single.items():
        members[group_of[number]].append(task)
    return [_together(number, group, group_of) for number, group in members.items()]


def overrunning(estimates: Sequence[Estimate]) -> set[int]:
    """The jobs that a cluster would end before they are done, as the wall time that they ask for is too short.

    The jobs of a group run one after the other in an allocation, whose wall time is the sum of theirs.
    """
    group_of = _groups(estimates)
    groups: dict[int, list[Estimate]] = defaultdict(list)
    for estimate in estimates:
        groups[group_of[estimate.job.id]].append(estimate)
    return {
        estimate.job.id
        for group in groups.values()
        if all(estimate.job.runtime is not None for estimate in group)
        and sum(estimate.seconds or 0 for estimate in group) > 60 * sum(estimate.job.runtime or 0 for estimate in group)
        for estimate in group
    }


def simulate(planned: Iterable[Task], *, gpus: int, cores: int, seed: int | None = None) -> Schedule:
    """Run tasks on so many GPUs and cores.

    A task that asks for more GPUs or cores than there are gets those there are, for longer in proportion.

    Args:
        planned: the tasks.
        gpus: GPUs; with none, a task that asks for one takes a core in its place and as long.
        cores: CPU cores, at least one.
        seed: what is ready and lets no temporary file go is started in a random order of this seed; by default, the
            longest way first.
    """
    by_id = {task.id: _fitted(task, gpus, cores) for task in planned}
    waiting_for = {number: len(task.needs) for number, task in by_id.items()}
    followers: dict[int, list[int]] = defaultdict(list)
    readers: dict[str, int] = defaultdict(int)
    for task in by_id.values():
        for needed in task.needs:
            followers[needed].append(task.id)
        for path in task.takes:
            readers[path] += 1
    rank = _ranks(by_id, followers, seed)
    ready = sorted((rank[number], number) for number, count in waiting_for.items() if not count)
    free_gpus, free_cores, now, used, peak, busy = gpus, cores, 0.0, 0.0, 0.0, 0.0
    running: list[tuple[float, int]] = []
    ended: dict[int, float] = {}
    sizes: dict[str, float] = {}
    while ready or running:
        left_over = []
        for entry in ready:
            task = by_id[entry[1]]
            if task.gpus > free_gpus or task.cores > free_cores:
                left_over.append(entry)
                continue
            free_gpus, free_cores = free_gpus - task.gpus, free_cores - task.cores
            busy += task.gpus * task.seconds
            used += task.kept + task.scratch + sum(task.temporary.values())
            sizes |= task.temporary
            heapq.heappush(running, (now + task.seconds, task.id))
        ready = left_over
        peak = max(peak, used)
        now = running[0][0]
        while running and running[0][0] == now:
            task = by_id[heapq.heappop(running)[1]]
            free_gpus, free_cores = free_gpus + task.gpus, free_cores + task.cores
            ended[task.id] = now
            used -= task.scratch
            for path in task.takes:
                readers[path] -= 1
            gone = [path for path in (*task.takes, *task.temporary) if not readers[path] and path in sizes]
            used -= sum(sizes.pop(path) for path in gone)
            for follower in followers[task.id]:
                waiting_for[follower] -= 1
                if not waiting_for[follower]:
                    insort(ready, (rank[follower], follower))
    share = busy / (gpus * now) if gpus and now else 0.0
    return Schedule(gpus, cores, now, share, peak, used, ended)


def critical_path(planned: Iterable[Task]) -> float:
    """Seconds of the longest chain of tasks that wait for each other: no number of GPUs makes a run shorter."""
    by_id = {task.id: task for task in planned}
    ends: dict[int, float] = {}
    for number in TopologicalSorter({number: task.needs for number, task in by_id.items()}).static_order():
        task = by_id[number]
        ends[number] = task.seconds + max((ends[needed] for needed in task.needs), default=0)
    return max(ends.values(), default=0)


def _task(estimate: Estimate) -> Task:
    job = estimate.job
    sizes = dict(zip((output.path for output in job.outputs), estimate.bytes, strict=False))
    return Task(
        id=job.id,
        seconds=estimate.seconds or 0,
        gpus=job.gpus,
        cores=job.threads,
        needs=frozenset(job.needs),
        kept=estimate.kept - estimate.replaced,
        temporary={output.path: sizes.get(output.path, 0) for output in job.outputs if output.temporary},
        takes=frozenset(job.takes),
        scratch=estimate.scratch,
    )


def _groups(estimates: Sequence[Estimate]) -> dict[int, int]:
    """The group of each job, by the first of its jobs: jobs of one group that wait for each other are together."""
    leader: dict[int, int] = {}
    group = {estimate.job.id: estimate.job.group for estimate in estimates}

    def find(number: int) -> int:
        while leader.setdefault(number, number) != number:
            number = leader[number]
        return number

    for estimate in estimates:
        find(estimate.job.id)
        for needed in estimate.job.needs:
            if estimate.job.group is not None and group[needed] == estimate.job.group:
                one, other = sorted((find(estimate.job.id), find(needed)))
                leader[other] = one
    return {number: find(number) for number in group}


def _together(number: int, group: Sequence[Task], group_of: Mapping[int, int]) -> Task:
    """One after the other on what the greediest of them asks for."""
    if len(group) == 1:
        return replace(group[0], needs=frozenset(group_of[needed] for needed in group[0].needs))
    return Task(
        id=number,
        seconds=sum(task.seconds for task in group),
        gpus=max(task.gpus for task in group),
        cores=max(task.cores for task in group),
        needs=frozenset(group_of[needed] for task in group for needed in task.needs) - {number},
        kept=sum(task.kept for task in group),
        temporary={path: size for task in group for path, size in task.temporary.items()},
        takes=frozenset(path for task in group for path in task.takes),
        scratch=max(task.scratch for task in group),
    )


def _fitted(task: Task, gpus: int, cores: int) -> Task:
    given = min(task.gpus, gpus)
    longer = task.gpus / given if given else 1.0
    threads = min(task.cores, cores)
    if not given:
        longer *= task.cores / threads
    return replace(task, gpus=given, cores=threads, seconds=task.seconds * longer)


def _ranks(
    by_id: Mapping[int, Task], followers: Mapping[int, Sequence[int]], seed: int | None
) -> dict[int, tuple[bool, float, int]]:
    """The order in which ready tasks are started, lowest first."""
    before: dict[int, float] = {}
    if seed is None:
        order = list(TopologicalSorter({number: task.needs for number, task in by_id.items()}).static_order())
        for number in reversed(order):
            before[number] = (
                min((before[follower] for follower in followers[number]), default=0) - by_id[number].seconds
            )
    else:
        draw = random.Random(seed).random
        before = {number: draw() for number in sorted(by_id)}
    return {number: (not task.takes, before[number], number) for number, task in by_id.items()}
