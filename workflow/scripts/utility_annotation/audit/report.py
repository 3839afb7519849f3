"""The audit of a plan: its jobs summed by stage, and simulated on several numbers of GPUs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from ..settings import Settings
from .estimate import Estimate
from .plan import Job
from .rates import NOTICEABLE, Rates
from .schedule import Task, critical_path, overrunning, simulate, tasks
from .sizes import Origin
from .tables import Rate

_HOUR = 3600
_ORDERS = range(5)


class Stage(Settings):
    """The jobs of one stage, summed."""

    stage: str
    jobs: int
    reasons: dict[str, int]
    """How many jobs each reason is the weightiest of."""
    gpu_seconds: float
    core_seconds: float
    prompt_tokens: float
    new_tokens: float
    usd: float
    kept: float
    """Bytes."""
    temporary: float
    """Bytes of all its temporary files."""
    derived: bool
    """Whether a derived rate has a noticeable part in its seconds."""
    longest: float
    """Seconds of its longest job."""
    overrunning: int
    """Jobs that take longer than the wall time that they, or their group, ask for."""
    unknown: dict[str, int]
    """What is not known, and for how many jobs, which are then not counted."""


class Run(Settings):
    """The plan on a number of GPUs and cores, simulated."""

    gpus: int
    cores: int
    seconds: float
    busy: float
    """Share of the GPUs' time in which they work."""
    peak: float
    """Bytes on the disk at its fullest, with those that lie there now; ready jobs with the longest way first."""
    unlucky_peak: float
    """The same, ready jobs in the worst of several random orders."""


class Disk(Settings):
    """Bytes on the disk."""

    now: float
    left: float
    """At the end, with those that lie there now."""
    peak: float
    """At the fullest moment of the run on the given GPUs."""
    temporary: float
    """All temporary files together, if none of them ever went."""


class UsedRate(Settings):
    """A rate that was applied."""

    device: str
    work: str
    model: str
    rate: Rate


class Machine(Settings):
    """What the plan is to run on."""

    gpu: str
    """Name of its GPUs in the tables of rates."""
    gpus: int
    cores: int
    """CPU cores that there are at least."""
    cores_a_gpu: int
    """CPU cores that come with each GPU."""
    usd_a_gpu_hour: float


class Audit(Settings):
    """All that an audit says."""

    made: float
    """When, in Unix seconds."""
    arguments: tuple[str, ...]
    """What Snakemake was given."""
    machine: Machine
    stages: tuple[Stage, ...]
    runs: tuple[Run, ...]
    shortest: float
    """Seconds of the longest chain of jobs: no number of GPUs is faster."""
    disk: Disk
    sizes: dict[str, Origin]
    rates: tuple[UsedRate, ...]
    stored: dict[str, int]
    """Completions that lie in the store, by annotator."""
    jobs: tuple[Estimate, ...]

    @property
    def run(self) -> Run:
        """The run on the given machine."""
        return next((run for run in self.runs if run.gpus == self.machine.gpus), self.runs[0])

    @property
    def total(self) -> Stage:
        """All stages together."""
        return _sum("in all", self.jobs, self.machine.usd_a_gpu_hour, overrunning(self.jobs))


def audit(
    estimates: Sequence[Estimate],
    rates: Rates,
    machine: Machine,
    *,
    made: float,
    arguments: Sequence[str],
    order: Sequence[str],
    on_disk: float,
    sizes: Mapping[str, Origin],
    stored: Mapping[str, int],
) -> Audit:
    """Sum and simulate.

    Args:
        estimates: what each job takes.
        rates: those that were applied.
        machine: what the plan is to run on; beside its GPUs, 1, 8 and 64 are simulated where the plan asks for any.
        made: now, in Unix seconds.
        arguments: what Snakemake was given.
        order: the stages along the way of the workflow.
        on_disk: bytes that lie there now.
        sizes: how large things are, and where that is from.
        stored: completions in the store.
    """
    by_stage: dict[str, list[Estimate]] = defaultdict(list)
    for estimate in estimates:
        by_stage[estimate.job.stage].append(estimate)
    stages = sorted(by_stage, key=lambda stage: order.index(stage) if stage in order else len(order))
    planned, too_long = tasks(estimates), overrunning(estimates)
    on_gpus = any(estimate.job.gpus for estimate in estimates)
    numbers = sorted({1, 8, 64, machine.gpus}) if on_gpus else [0]
    runs = [_run(planned, gpus, max(machine.cores, gpus * machine.cores_a_gpu), on_disk) for gpus in numbers]
    return Audit(
        made=made,
        arguments=tuple(arguments),
        machine=machine,
        stages=tuple(_sum(stage, by_stage[stage], machine.usd_a_gpu_hour, too_long) for stage in stages),
        runs=tuple(runs),
        shortest=critical_path(planned),
        disk=Disk(
            now=on_disk,
            left=on_disk + sum(task.kept for task in planned),
            peak=next((run.peak for run in runs if run.gpus == machine.gpus), runs[0].peak),
            temporary=sum(size for task in planned for size in task.temporary.values()),
        ),
        sizes=dict(sizes),
        rates=tuple(
            UsedRate(device=place[0], work=place[1], model=place[2], rate=rate) for place, rate in rates.used.items()
        ),
        stored=dict(stored),
        jobs=tuple(estimates),
    )


def reason_counts(jobs: Iterable[Job]) -> dict[str, int]:
    """How many jobs each reason is the weightiest of, the most frequent first."""
    counts = Counter(job.reasons[0] if job.reasons else "not said" for job in jobs)
    return dict(counts.most_common())


def _sum(stage: str, estimates: Sequence[Estimate], usd_a_gpu_hour: float, too_long: Set[int]) -> Stage:
    gpu_seconds = sum(estimate.gpu_seconds for estimate in estimates)
    kept = sum(estimate.kept for estimate in estimates)
    return Stage(
        stage=stage,
        jobs=len(estimates),
        reasons=reason_counts(estimate.job for estimate in estimates),
        gpu_seconds=gpu_seconds,
        core_seconds=sum(estimate.core_seconds for estimate in estimates),
        prompt_tokens=sum(estimate.prompt_tokens for estimate in estimates),
        new_tokens=sum(estimate.new_tokens for estimate in estimates),
        usd=gpu_seconds / _HOUR * usd_a_gpu_hour,
        kept=kept,
        temporary=sum(sum(estimate.bytes) + estimate.aside for estimate in estimates) - kept,
        derived=sum(estimate.seconds or 0 for estimate in estimates if estimate.derived)
        > NOTICEABLE * sum(estimate.seconds or 0 for estimate in estimates),
        longest=max((estimate.seconds or 0 for estimate in estimates), default=0),
        overrunning=sum(estimate.job.id in too_long for estimate in estimates),
        unknown=dict(Counter(estimate.unknown for estimate in estimates if estimate.unknown)),
    )


def _run(planned: Sequence[Task], gpus: int, cores: int, on_disk: float) -> Run:
    found = simulate(planned, gpus=gpus, cores=cores)
    others = [simulate(planned, gpus=gpus, cores=cores, seed=seed).peak for seed in _ORDERS]
    return Run(
        gpus=gpus,
        cores=cores,
        seconds=found.seconds,
        busy=found.busy,
        peak=on_disk + found.peak,
        unlucky_peak=on_disk + max(found.peak, *others),
    )
