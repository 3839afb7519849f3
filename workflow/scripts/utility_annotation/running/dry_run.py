"""The jobs that Snakemake would run, from its own dry run: profile, rerun triggers and all."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.cli import parse_args, parse_config
from snakemake.ioflags import is_flagged
from snakemake.settings.enums import Quietness
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    ExecutionSettings,
    OutputSettings,
    ResourceSettings,
    StorageSettings,
    WorkflowSettings,
)

from ..audit.plan import Job, Output
from ..common.errors import InputError
from ..planning.loading import load
from ..settings import Configuration

_CODE_DIGEST = re.compile(r"[0-9a-f]{16}")


def dry_run(arguments: Sequence[str]) -> tuple[Configuration, list[Job]]:
    """The configuration and the planned jobs, each after those that it waits for; target rules are left out.

    Nothing is made and no lock is taken. As any dry run, it may keep digests of files under ``.snakemake/``.

    Args:
        arguments: what would be given to ``snakemake``: targets and options.

    Raises:
        InputError: Snakemake cannot plan this; it has said why on standard error.
    """
    _, options = parse_args(["--dry-run", *arguments])
    if options.directory is not None:
        raise InputError("the audit looks at the folder in which it is called.", hint="call it in that of --directory.")
    output = OutputSettings(
        dryrun=True,
        quiet={Quietness.RULES, Quietness.PROGRESS},  # ends the dry run when the jobs are known
        nocolor=options.nocolor,
        log_level_override=logging.WARNING,
        enable_file_logging=False,
    )
    with SnakemakeApi(output) as api:
        try:
            workflow = api.workflow(
                resource_settings=ResourceSettings(
                    cores=2**16,  # no cap: the number of cores is the simulation's
                    overwrite_threads=options.set_threads,
                    overwrite_resources=options.set_resources,
                    default_resources=options.default_resources,
                ),
                config_settings=ConfigSettings(
                    config=parse_config(options.config), configfiles=options.configfile, config_args=options.config
                ),
                storage_settings=StorageSettings(notemp=options.notemp),
                workflow_settings=WorkflowSettings(consider_ancient=options.consider_ancient),
                snakefile=options.snakefile,
            )
            plan = workflow.dag(
                DAGSettings(
                    targets=options.targets,
                    forcetargets=options.force,
                    forceall=options.forceall,
                    forcerun=options.forcerun,
                    until=options.until,
                    omit_from=options.omit_from,
                    force_incomplete=options.rerun_incomplete,
                    rerun_triggers=options.rerun_triggers,
                    max_checksum_file_size=options.max_checksum_file_size,
                )
            )
            plan.execute_workflow(
                executor="dryrun",
                execution_settings=ExecutionSettings(lock=False, keep_going=options.keep_going),
            )
            built = workflow._workflow  # the only way to the jobs' graph that Snakemake's interface leaves
            return _configuration(built), list(_jobs(built.dag))
        except InputError:
            raise
        except Exception as error:
            api.print_exception(error)
            raise InputError(
                "Snakemake cannot plan this run; its message stands above.",
                hint="make `snakemake --dry-run` work with the same targets and options.",
            ) from None


def _configuration(workflow: Any) -> Configuration:
    return load(workflow.globals["config"], path=", ".join(map(str, workflow.configfiles)) or "the configuration")


def _jobs(graph: Any) -> Iterator[Job]:
    planned = {job for job in graph.needrun_jobs() if not job.is_norun}
    ids = {job: number for number, job in enumerate(_in_order(graph, planned))}
    temporary = {str(path) for job in planned for path in job.output if is_flagged(path, "temp")}
    for job, number in ids.items():
        reasons = dict(_reasons(graph.reason(job)))
        yield Job(
            id=number,
            rule=job.rule.name,
            wildcards={name: str(value) for name, value in job.wildcards_dict.items()},
            outputs=tuple(Output(path=str(path), temporary=str(path) in temporary) for path in job.output),
            needs=tuple(sorted(ids[needed] for needed in graph.dependencies[job] if needed in ids)),
            takes=tuple(sorted(temporary & set(map(str, job.input)))),
            reasons=tuple(reasons),
            because_of={name: files for name, files in reasons.items() if files},
            threads=int(job.resources.get("_cores", 1)),
            gpus=int(job.resources.get("gpu", 0)),
            runtime=_whole(job.resources.get("runtime")),
            group=job.rule.group if isinstance(job.rule.group, str) else None,
            benchmark=None if job.benchmark is None else str(job.benchmark),
        )


def _whole(resource: Any) -> int | None:
    return resource if isinstance(resource, int) else None


def _in_order(graph: Any, planned: set[Any]) -> list[Any]:
    """The planned jobs, each after those that it waits for; as stable as Snakemake's own order."""
    done: dict[Any, None] = {}
    todo = [
        (job, False) for job in sorted(planned, key=lambda job: (job.rule.name, str(job.wildcards_dict)), reverse=True)
    ]
    while todo:
        job, ready = todo.pop()
        if ready:
            done.setdefault(job)
        elif job not in done:
            todo.append((job, True))
            needs = [needed for needed in graph.dependencies[job] if needed in planned and needed not in done]
            todo += [(needed, False) for needed in sorted(needs, key=lambda job: str(job.output), reverse=True)]
    return list(done)


def _reasons(reason: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Why a job is planned, in words, the weightiest reason first, each with the files that it is about."""
    changed = changed_parameters(reason.params_changed.only_old, reason.params_changed.only_new)
    found: dict[str, Any] = {
        "asked for": reason.forced,
        "missing output": reason.missing_output,
        "unfinished output": reason.incomplete_output,
        **dict.fromkeys(changed if reason.params_changed else (), True),
        "changed rule": reason.code_changed,
        "changed environment": reason.software_stack_changed,
        "another set of input files": reason.input_changed,
        "newer input": reason.updated_input - reason.updated_input_run,
        "input made anew by another job": reason.updated_input_run,
    }
    for name, holds in found.items():
        if holds:
            yield name, tuple(sorted(map(str, holds))) if isinstance(holds, set) else ()


def changed_parameters(before: Iterable[str], now: Iterable[str]) -> list[str]:
    """In words, what differs between the parameters of a present result and those of the plan.

    Args:
        before: those of the result that the plan does not have, each as ``repr`` writes it.
        now: those of the plan that the result does not have, likewise.
    """
    old, new = (list(map(_parameter, values)) for values in (before, now))
    old_settings, new_settings = (
        {leaf for value in values if isinstance(value, dict) for leaf in _leaves(value)} for values in (old, new)
    )
    found = []
    if keys := sorted({key for key, _ in old_settings ^ new_settings}):
        found.append(f"changed settings ({', '.join(keys)})")
    if any(isinstance(value, str) and _CODE_DIGEST.fullmatch(value) for value in new):
        found.append("changed code")
    if any(isinstance(value, list) for value in (*old, *new)):
        found.append("changed content of a file of yours")
    return found or ["changed parameters"]


def _parameter(text: str) -> Any:
    """A parameter: settings as a dictionary, a list of digests as a list, anything else as its text."""
    value: Any = text
    with suppress(ValueError, SyntaxError):
        value = ast.literal_eval(text)
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting with its dotted key and its value as JSON."""
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)
