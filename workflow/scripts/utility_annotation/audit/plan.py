"""The audit of a plan: what each job makes, waits for, asks for, and is expected to take, and the sums of that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from ..planning.resources import REQUESTS
from ..settings import Settings
from .tables import Rate


class Output(Settings):
    """A file or folder that a job makes."""

    path: str
    temporary: bool = False
    """Removed as soon as the last job that takes it is done."""


class Job(Settings):
    """One planned job."""

    id: int
    rule: str
    wildcards: dict[str, str] = Field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    needs: tuple[int, ...] = Field((), description="Planned jobs that have to be done before.")
    takes: tuple[str, ...] = Field((), description="Temporary files that it reads.")
    threads: int = 1
    gpus: int = 0
    benchmark: str | None = Field(None, description="Where its time will be recorded.")

    @property
    def stage(self) -> str:
        """The rule; the rules of pools, one a pool, count as one."""
        named = ("build_pool", "divide_pool", "sample_passages")  # one rule for each pool
        return next((name for name in named if self.rule.startswith(f"{name}_")), self.rule)


class Estimate(Settings):
    """What one job is expected to take: seconds, tokens, bytes.

    What is not known is None (seconds) or 0 (the others), and ``unknown`` says why.
    """

    job: Job
    seconds: float | None
    """Wall seconds on the GPUs and threads that it asks for."""
    prompt_tokens: float = 0
    new_tokens: float = 0
    bytes: tuple[float, ...] = ()
    """Of each output, in their order."""
    stored: float = 0
    """Bytes that it adds to the completion store."""
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
    def temporary_files(self) -> dict[str, float]:
        """Bytes of its temporary files, by path."""
        sizes = zip(self.job.outputs, self.bytes, strict=False)
        return {output.path: size for output, size in sizes if output.temporary}

    @property
    def temporary(self) -> float:
        """Bytes of all its temporary files."""
        return sum(self.temporary_files.values())

    @property
    def results(self) -> float:
        """Bytes of its outputs that stay."""
        return sum(self.bytes) - self.temporary

    @property
    def kept(self) -> float:
        """Bytes that stay, those in the completion store included."""
        return self.results + self.stored


def sums(jobs: Sequence[Estimate]) -> dict[str, float]:
    """Each figure, summed over some jobs."""
    figures = ("gpu_seconds", "core_seconds", "prompt_tokens", "new_tokens", "kept", "temporary")
    return {figure: sum(getattr(job, figure) for job in jobs) for figure in figures}


def temporary_at_once(jobs: Sequence[Estimate]) -> float:
    """Bytes of the temporary files of the job that reads most of them."""
    sizes = {path: size for job in jobs for path, size in job.temporary_files.items()}
    return max((sum(sizes.get(path, 0) for path in job.job.takes) for job in jobs), default=0)


class Audit(Settings):
    """All that an audit says."""

    made: float
    """When, in Unix seconds."""
    arguments: tuple[str, ...]
    """What Snakemake was given."""
    gpu: str
    """Name of the GPUs in the tables of rates."""
    gpus: int
    cores: int
    usd_a_gpu_hour: float
    on_disk: float
    """Bytes that lie there now."""
    stored: dict[str, int]
    """Completions that each annotator's store has."""
    rates: tuple[Rate, ...]
    """Those that were applied, each with the device of its use."""
    assumed: tuple[str, ...] = ()
    """What no file and no table tells, a sentence each."""
    jobs: tuple[Estimate, ...]
    """Each after those that it waits for."""

    def by_stage(self) -> dict[str, list[Estimate]]:
        """The jobs of each stage, along the way of the workflow."""
        found: dict[str, list[Estimate]] = {rule: [] for rule in REQUESTS}
        for job in self.jobs:
            found.setdefault(job.job.stage, []).append(job)
        return {stage: jobs for stage, jobs in found.items() if jobs}

    def longest_chain(self) -> float:
        """Seconds of the longest chain of jobs: no number of GPUs is faster."""
        ends: dict[int, float] = {}
        for job in self.jobs:
            ends[job.job.id] = (job.seconds or 0) + max((ends[needed] for needed in job.job.needs), default=0)
        return max(ends.values(), default=0)

    def wall_seconds(self, gpus: int) -> float:
        """No run on so many GPUs, and on the cores, is faster."""
        total = sums(self.jobs)
        return max(total["gpu_seconds"] / gpus, total["core_seconds"] / self.cores, self.longest_chain())

    def temporary_at_once(self) -> float:
        """See :func:`temporary_at_once`."""
        return temporary_at_once(self.jobs)


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed, and what is not there has none."""
    if path.is_dir() and not path.is_symlink():
        return sum(size_on_disk(member) for member in path.iterdir())
    return path.lstat().st_size if path.is_symlink() or path.exists() else 0
