"""The jobs of a plan: what each makes, what it waits for, what it asks for, and why it is planned."""

from __future__ import annotations

from pydantic import Field

from ..settings import Settings


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
    reasons: tuple[str, ...] = Field((), description="Why it is planned, the weightiest reason first.")
    because_of: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="The files behind those reasons that are about files."
    )
    threads: int = 1
    gpus: int = 0
    runtime: int | None = Field(None, description="Minutes after which a cluster ends it; none without a limit.")
    group: str | None = None
    benchmark: str | None = Field(None, description="Where its time will be recorded.")

    @property
    def stage(self) -> str:
        """The rule; the rules of pools, one a pool, count as one."""
        return "build_pool" if self.rule.startswith("build_pool_") else self.rule
