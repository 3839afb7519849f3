"""A plan in simulated time: how long it takes on so many GPUs and cores, and how full the disk gets meanwhile.

List scheduling: whenever a job ends, whatever is ready and fits is started. First comes what lets temporary files go,
then what starts the longest chain of jobs. Outputs lie on the disk from the start of their job, temporary files until
the last job that takes them is done. A job that asks for more GPUs or cores than there are gets those there are, for
longer in proportion. A job whose time is not known takes none.
"""

from __future__ import annotations

import heapq
import random
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ..settings import Settings
from .estimate import Estimate

_RANDOM_ORDERS = range(5)


class Run(Settings):
    """A plan on a number of GPUs and cores, simulated."""

    gpus: int
    cores: int
    seconds: float
    busy: float
    """Share of the GPUs' time in which they work; 0 without GPUs."""
    peak: float
    """Bytes on the disk at its fullest, beyond those before the run."""
    unlucky_peak: float
    """The same, where what lets no temporary file go is started in the worst of several random orders."""


def simulate(jobs: Sequence[Estimate], *, gpus: int, cores: int) -> Run:
    """Run jobs on so many GPUs and cores.

    Args:
        jobs: each after those that it waits for.
        gpus: GPUs; with none, a job that asks for one takes a core in its place and as long.
        cores: CPU cores, at least one.
    """
    longest_first = {number: -seconds for number, seconds in chains(jobs).items()}
    orders = [longest_first]
    for seed in _RANDOM_ORDERS:
        draw = random.Random(seed).random
        orders.append({number: draw() for number in longest_first})
    found = [_simulated(jobs, gpus, cores, order) for order in orders]
    seconds, busy, peak = found[0]
    unlucky = max(peak for _, _, peak in found)
    return Run(gpus=gpus, cores=cores, seconds=seconds, busy=busy, peak=peak, unlucky_peak=unlucky)


def chains(jobs: Sequence[Estimate]) -> dict[int, float]:
    """By job, the seconds of the longest chain that starts with it: no number of GPUs makes a run shorter."""
    followers = _followers(jobs)
    found: dict[int, float] = {}
    for estimate in reversed(jobs):
        after = max((found[follower] for follower in followers[estimate.job.id]), default=0)
        found[estimate.job.id] = (estimate.seconds or 0) + after
    return found


def _followers(jobs: Sequence[Estimate]) -> dict[int, list[int]]:
    followers: dict[int, list[int]] = defaultdict(list)
    for estimate in jobs:
        for needed in estimate.job.needs:
            followers[needed].append(estimate.job.id)
    return followers


def _given(estimate: Estimate, gpus: int, cores: int) -> tuple[int, int, float]:
    """The GPUs, cores and seconds of a job where there are so many GPUs and cores."""
    job, given = estimate.job, (min(estimate.job.gpus, gpus), min(estimate.job.threads, cores))
    longer = job.gpus / given[0] if given[0] else job.threads / given[1]
    return *given, (estimate.seconds or 0) * longer


def _simulated(
    jobs: Sequence[Estimate], gpus: int, cores: int, order: Mapping[int, float]
) -> tuple[float, float, float]:
    """Wall seconds, the share of the GPUs' time in which they work, and the most bytes."""
    by_id = {estimate.job.id: estimate for estimate in jobs}
    given = {number: _given(estimate, gpus, cores) for number, estimate in by_id.items()}
    rank = {number: (not estimate.job.takes, order[number], number) for number, estimate in by_id.items()}
    waiting_for = {number: len(estimate.job.needs) for number, estimate in by_id.items()}
    readers = Counter(path for estimate in jobs for path in estimate.job.takes)
    followers = _followers(jobs)
    ready = sorted(rank[number] for number, count in waiting_for.items() if not count)
    free_gpus, free_cores, now, used, peak = gpus, cores, 0.0, 0.0, 0.0
    running: list[tuple[float, int]] = []
    on_disk: dict[str, float] = {}
    while ready or running:
        left_over = []
        for entry in ready:
            number = entry[-1]
            takes_gpus, takes_cores, seconds = given[number]
            if takes_gpus > free_gpus or takes_cores > free_cores:
                left_over.append(entry)
                continue
            free_gpus, free_cores = free_gpus - takes_gpus, free_cores - takes_cores
            estimate, temporary = by_id[number], by_id[number].temporary
            used += estimate.kept - estimate.replaced + estimate.scratch + sum(temporary.values())
            on_disk |= temporary
            heapq.heappush(running, (now + seconds, number))
        ready, peak, now = left_over, max(peak, used), running[0][0]
        while running and running[0][0] == now:
            number = heapq.heappop(running)[1]
            free_gpus, free_cores = free_gpus + given[number][0], free_cores + given[number][1]
            job = by_id[number].job
            readers.subtract(job.takes)
            gone = [path for path in (*job.takes, *by_id[number].temporary) if readers[path] <= 0 and path in on_disk]
            used -= by_id[number].scratch + sum(on_disk.pop(path) for path in gone)
            for follower in followers[number]:
                waiting_for[follower] -= 1
                if not waiting_for[follower]:
                    insort(ready, rank[follower])
    busy = sum(seconds * taken for taken, _, seconds in given.values())
    return now, busy / (gpus * now) if gpus and now else 0.0, peak
