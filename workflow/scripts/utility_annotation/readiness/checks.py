"""The table of all checks, and what they say of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from ..common.errors import InputError
from ..planning import refusals
from . import cluster, machine, outside
from .rows import Row, not_ready
from .run import Later, Run


def _plan(run: Run) -> Iterator[Row]:
    """Whether Snakemake can plan the run; the files that the configuration names, where it cannot."""
    if run.jobs is not None:
        number = len(run.jobs)
        jobs = f"{number:,} job{'s' * (number > 1)}" if number else "nothing is to be done: every result is there"
        yield Row("plan", "", "ready", jobs)
        return
    for file, settings in refusals.missing_files(run.configuration).items():
        fix = f"put it there, or correct {' and '.join(f'`{name}`' for name in settings)}."
        yield Row("file", file, "not ready", "it is not there", fix)
    fix = "do what it says. The other rows are those of the whole configuration."
    yield Row("plan", "", "not ready", "Snakemake cannot plan this run; its message stands above the table", fix)


def _folders(run: Run) -> Iterator[Row]:
    """Whether jobs can write what they make."""
    try:
        refusals.outputs_without_access((job.rule, output.path) for job in run.jobs or () for output in job.outputs)
    except InputError as error:
        yield not_ready("folder", "", error)


CHECKS: Mapping[str, Callable[[Run], Iterator[Row | Later]]] = {
    "plan": _plan,
    "folders": _folders,
    "downloads": outside.downloads,
    "data sets": outside.hub_data,
    "models": outside.hub_models,
    "servers": outside.servers,
    "interpreters": machine.interpreters,
    "GPUs": machine.gpus,
    "disks": machine.disks,
    "partitions": cluster.partitions,
}
"""Every kind of check, in the order of the table: from a run to rows, or to looks that take their time."""


def look(run: Run) -> list[Row]:
    """All that the checks say of a run."""
    found = [*run.found, *chain.from_iterable(_said(name, run) for name in CHECKS)]
    later = outside.looked([each for each in found if isinstance(each, Later)], run.seconds)
    return [row for each in found for row in (later[each] if isinstance(each, Later) else [each])]


def _said(name: str, run: Run) -> Iterator[Row | Later]:
    """What one check says; a setting or a file that it cannot use is a row too."""
    try:
        yield from CHECKS[name](run)
    except InputError as error:
        yield not_ready(name, "", error)
