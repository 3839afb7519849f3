"""The jobs that Snakemake would run, from its own dry run: profile, rerun triggers and all."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.cli import parse_args, parse_config
from snakemake.ioflags import is_flagged
from snakemake.settings.enums import Quietness
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    ExecutionSettings,
    GroupSettings,
    OutputSettings,
    ResourceSettings,
    StorageSettings,
    WorkflowSettings,
)

from ..audit.plan import Job, Output
from ..common.errors import InputError
from ..planning.loading import load
from ..settings import Configuration


@dataclass(frozen=True)
class Planned:
    """What `snakemake` plans for some arguments, and how it would run that.

    Attributes:
        configuration: the configuration.
        jobs: the planned jobs, each after those that it waits for; None where Snakemake cannot plan them.
        submitted: the jobs or groups that a scheduler would be given.
        options: Snakemake's options.
    """

    configuration: Configuration
    jobs: list[Job] | None
    submitted: list[Any]
    options: Namespace


def dry_run(arguments: Sequence[str]) -> tuple[Configuration, list[Job]]:
    """The configuration and the jobs of a run that can be planned; see :func:`planned`.

    Raises:
        InputError: Snakemake cannot plan this; it has said why on standard error.
    """
    found = planned(arguments)
    if found.jobs is None:
        raise _cannot_plan()
    return found.configuration, found.jobs


def planned(arguments: Sequence[str]) -> Planned:
    """What `snakemake` plans for some arguments.

    Target rules are left out. No lock is taken. As any dry run, it may keep digests of
    files under ``.snakemake/``. Where Snakemake cannot plan, it says why on standard error.

    Raises:
        InputError: the configuration cannot be read; Snakemake has said why.
    """
    _, options = parse_args(["--dry-run", *arguments])
    if options.directory is not None:
        raise InputError(
            "a plan is made in the folder in which this is called.", hint="call it in that of --directory."
        )
    output = OutputSettings(
        dryrun=True,
        quiet={Quietness.RULES, Quietness.PROGRESS},  # ends the dry run when the jobs are known
        nocolor=options.nocolor,
        log_level_override=logging.WARNING,
        enable_file_logging=False,
    )
    with SnakemakeApi(output) as api:
        workflow = None
        try:
            workflow = api.workflow(
                resource_settings=ResourceSettings(
                    cores=2**16,  # no cap: a job has the threads that it asks for
                    overwrite_threads=options.set_threads,
                    overwrite_resources=options.set_resources,
                    default_resources=options.default_resources,
                ),
                storage_settings=StorageSettings(notemp=options.notemp),
                workflow_settings=WorkflowSettings(consider_ancient=options.consider_ancient),
                config_settings=ConfigSettings(
                    config=parse_config(options.config), configfiles=options.configfile, config_args=options.config
                ),
                snakefile=options.snakefile,
            )
            names = (
                "targets",
                "forceall",
                "forcerun",
                "until",
                "omit_from",
                "rerun_triggers",
                "max_checksum_file_size",
            )
            settings = DAGSettings(
                forcetargets=options.force,
                force_incomplete=options.rerun_incomplete,
                **{name: getattr(options, name) for name in names},
            )
            workflow.dag(settings).execute_workflow(
                executor="dryrun",
                execution_settings=ExecutionSettings(lock=False, keep_going=options.keep_going),
                group_settings=GroupSettings(
                    overwrite_groups=options.groups, group_components=options.group_components
                ),
            )
            failed = False
        except Exception as error:
            api.print_exception(error)
            failed = True
        built = getattr(workflow, "_workflow_store", None)  # the only way to the jobs' graph that Snakemake leaves
        if built is None or "plan" not in built.globals:
            raise _cannot_plan()
        files = ", ".join(map(str, built.configfiles)) or "the configuration"
        configuration = load(built.globals["config"], path=files)
        if failed:
            return Planned(configuration, None, [], options)
        return Planned(configuration, list(_jobs(built.dag)), list(_submitted(built.dag)), options)


def _cannot_plan() -> InputError:
    return InputError(
        "Snakemake cannot plan this run; its message stands above.",
        hint="make `snakemake --dry-run` work with the same targets and options.",
    )


def _submitted(graph: Any) -> Iterator[Any]:
    """Groups, and jobs that are in none and do not run where Snakemake runs."""
    local = graph.workflow._localrules
    units = (
        graph.get_job_group(job) or job
        for job in graph.needrun_jobs()
        if not job.is_norun and (job.group or job.rule.name not in local)
    )
    yield from dict.fromkeys(units)


def _jobs(graph: Any) -> Iterator[Job]:
    planned = sorted(
        (job for job in graph.needrun_jobs() if not job.is_norun),
        key=lambda job: (job.rule.name, str(job.wildcards_dict)),
    )
    rank = {job: place for place, job in enumerate(planned)}
    needs = {job: sorted(rank.keys() & graph.dependencies[job].keys(), key=rank.__getitem__) for job in planned}
    temporary = {str(path) for job in planned for path in job.output if is_flagged(path, "temp")}
    ids = {job: number for number, job in enumerate(TopologicalSorter(needs).static_order())}
    for job, number in ids.items():
        yield Job(
            id=number,
            rule=job.rule.name,
            wildcards={name: str(value) for name, value in job.wildcards_dict.items()},
            outputs=tuple(Output(path=str(path), temporary=str(path) in temporary) for path in job.output),
            needs=tuple(sorted(ids[needed] for needed in needs[job])),
            takes=tuple(sorted(temporary & set(map(str, job.input)))),
            threads=int(job.resources.get("_cores", 1)),
            gpus=int(job.resources.get("gpu", 0)),
            benchmark=None if job.benchmark is None else str(job.benchmark),
        )
