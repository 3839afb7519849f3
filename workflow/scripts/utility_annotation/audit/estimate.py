"""What each planned job takes: seconds, GPU seconds, tokens, bytes; and what of it is not known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..settings import Settings
from .plan import Job
from .rates import NotKnown, Rates, Time
from .workload import Workload, Workloads


class Estimate(Settings):
    """What one job is expected to take.

    What is not known is None (seconds) or 0 (the others), and ``unknown`` says why.
    """

    job: Job
    seconds: float | None
    """Wall seconds on the GPUs and threads that it asks for."""
    prompt_tokens: float = 0
    new_tokens: float = 0
    bytes: tuple[float, ...] = ()
    """Of each output, in their order."""
    scratch: float = 0
    """Bytes beside the outputs while it runs."""
    aside: float = 0
    """Bytes that it adds to the completion store."""
    replaced: float = 0
    """Bytes of present outputs that it makes again."""
    derived: bool = False
    """Whether a derived rate has a noticeable part in the seconds."""
    unknown: str = ""

    @property
    def gpu_seconds(self) -> float:
        """Seconds of all its GPUs together; 0 where the time is not known."""
        return (self.seconds or 0) * self.job.gpus

    @property
    def core_seconds(self) -> float:
        """Seconds of its CPU cores, where it has no GPU."""
        return 0 if self.job.gpus else (self.seconds or 0) * self.job.threads

    @property
    def temporary(self) -> dict[str, float]:
        """Bytes of its temporary files, by path."""
        sizes = zip(self.job.outputs, self.bytes, strict=False)
        return {output.path: size for output, size in sizes if output.temporary}

    @property
    def kept(self) -> float:
        """Bytes that stay when it is done and nobody needs its temporary files any more."""
        return self.aside + sum(self.bytes) - sum(self.temporary.values())


def estimate(jobs: Iterable[Job], workloads: Workloads, rates: Rates) -> list[Estimate]:
    """An estimate for each job, in their order.

    Args:
        jobs: the plan.
        workloads: what each has to do.
        rates: how fast that is done.
    """
    return [_estimate(job, workloads, rates) for job in jobs]


def _estimate(job: Job, workloads: Workloads, rates: Rates) -> Estimate:
    time: Time | None = None
    load, unknown = Workload(), ""
    try:
        load = workloads.of(job)
        time = rates.time(load.amounts, gpus=job.gpus, threads=job.threads)
    except NotKnown as problem:
        unknown = str(problem)
    return Estimate(
        job=job,
        seconds=None if time is None else time.seconds,
        prompt_tokens=load.prompt_tokens,
        new_tokens=load.new_tokens,
        bytes=load.bytes,
        scratch=load.scratch,
        aside=load.aside,
        replaced=sum(size_on_disk(Path(output.path)) for output in job.outputs),
        derived=time is not None and time.derived,
        unknown=unknown,
    )


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed, and what is not there has none."""
    if path.is_dir() and not path.is_symlink():
        return sum(size_on_disk(member) for member in path.iterdir())
    return path.lstat().st_size if path.is_symlink() or path.exists() else 0
