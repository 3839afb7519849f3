"""The audit of a plan: its jobs summed by stage, and simulated on several numbers of GPUs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ..planning.resources import REQUESTS
from ..settings import Settings
from .estimate import Estimate
from .rates import NOTICEABLE, Rates
from .schedule import Run, chains, simulate
from .sizes import Origin
from .tables import Rate


class Stage(Settings):
    """The jobs of one stage, summed."""

    stage: str
    jobs: int
    reasons: dict[str, int]
    """How many jobs each reason is the weightiest of, the most frequent first."""
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
    """Jobs that take longer than the wall time that they ask for."""
    unknown: dict[str, int]
    """What is not known, and for how many jobs, which are then not counted."""


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
    on_disk: float
    """Bytes that lie there now."""
    sizes: dict[str, Origin]
    rates: tuple[UsedRate, ...]
    jobs: tuple[Estimate, ...]

    @property
    def run(self) -> Run:
        """The run on the given machine."""
        return next((run for run in self.runs if run.gpus == self.machine.gpus), self.runs[0])

    @property
    def total(self) -> Stage:
        """All stages together."""
        return _sum("in all", self.jobs, self.machine.usd_a_gpu_hour)

    @property
    def added(self) -> float:
        """Bytes that the plan adds to the disk for good."""
        return sum(estimate.kept - estimate.replaced for estimate in self.jobs)


def audit(
    estimates: Sequence[Estimate],
    rates: Rates,
    machine: Machine,
    *,
    made: float,
    arguments: Sequence[str],
    on_disk: float,
    sizes: Mapping[str, Origin],
) -> Audit:
    """Sum and simulate.

    Args:
        estimates: what each job takes, each after those that it waits for.
        rates: those that were applied.
        machine: what the plan is to run on; beside its GPUs, 1, 8 and 64 are simulated where the plan asks for any.
        made: now, in Unix seconds.
        arguments: what Snakemake was given.
        on_disk: bytes that lie there now.
        sizes: how large things are, and where that is from.
    """
    by_stage: dict[str, list[Estimate]] = defaultdict(list)
    for estimate in estimates:
        by_stage[estimate.job.stage].append(estimate)
    order = [*(rule for rule in REQUESTS if rule in by_stage), *(rule for rule in by_stage if rule not in REQUESTS)]
    on_gpus = any(estimate.job.gpus for estimate in estimates)
    numbers = sorted({1, 8, 64, machine.gpus}) if on_gpus else [0]
    cores = [max(machine.cores, gpus * machine.cores_a_gpu) for gpus in numbers]
    return Audit(
        made=made,
        arguments=tuple(arguments),
        machine=machine,
        stages=tuple(_sum(stage, by_stage[stage], machine.usd_a_gpu_hour) for stage in order),
        runs=tuple(simulate(estimates, gpus=g, cores=c) for g, c in zip(numbers, cores, strict=True)),
        shortest=max(chains(estimates).values(), default=0),
        on_disk=on_disk,
        sizes=dict(sizes),
        rates=tuple(
            UsedRate(device=device, work=work, model=model, rate=rate)
            for (device, work, model), rate in rates.used.items()
        ),
        jobs=tuple(estimates),
    )


def _sum(stage: str, estimates: Sequence[Estimate], usd_a_gpu_hour: float) -> Stage:
    def total(figure: str, among: Sequence[Estimate] = estimates) -> float:
        return sum(getattr(estimate, figure) or 0 for estimate in among)

    derived = [estimate for estimate in estimates if estimate.derived]
    reasons = Counter(next(iter(estimate.job.reasons), "not said") for estimate in estimates)
    return Stage(
        stage=stage,
        jobs=len(estimates),
        reasons=dict(reasons.most_common()),
        gpu_seconds=total("gpu_seconds"),
        core_seconds=total("core_seconds"),
        prompt_tokens=total("prompt_tokens"),
        new_tokens=total("new_tokens"),
        usd=total("gpu_seconds") / 3600 * usd_a_gpu_hour,
        kept=total("kept"),
        temporary=sum(sum(estimate.temporary.values()) for estimate in estimates),
        derived=total("seconds", derived) > NOTICEABLE * total("seconds"),
        longest=max((estimate.seconds or 0 for estimate in estimates), default=0),
        overrunning=sum(
            estimate.job.runtime is not None and (estimate.seconds or 0) > 60 * estimate.job.runtime
            for estimate in estimates
        ),
        unknown=dict(Counter(estimate.unknown for estimate in estimates if estimate.unknown)),
    )
