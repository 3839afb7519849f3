"""Where the Snakefile meets the library: it takes Snakemake's objects and hands plain values on.

Errors become Snakemake's own, which it shows without a traceback.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.cli import parse_args
from snakemake.exceptions import WorkflowError
from snakemake.logging import get_event, logger
from snakemake_interface_logger_plugins.common import LogEvent

from ..common.errors import InputError, printable
from ..planning import refusals
from ..planning.loading import load, write_resolved
from ..planning.plan import Plan, Wildcards
from ..settings import Configuration
from .cluster import unfinished_jobs

CHECK = "check"
"""The target that tells whether a run could start."""

if TYPE_CHECKING:
    from ..audit.predictions import Predictions


def plan(config: Mapping[str, Any], workflow: Any, folder: Path) -> Plan:
    """Read Snakemake's configuration, and see whether this is a place to run the Snakefile of ``folder`` in."""
    try:
        raw = _with_own_resources(config, folder)
        read = load(raw, path=", ".join(map(str, workflow.configfiles)) or "the configuration")
        refusals.foreign_folder()
        if workflow.is_main_process:
            refusals.older_results(read)
        else:  # within a submitted group, which is told no limit
            workflow.register_resource("engine", 1)
        if folder.resolve() != Path(workflow.basedir).resolve():  # a module of another workflow has no onstart
            write_resolved(read)
    except InputError as error:
        raise WorkflowError(str(error)) from None
    if workflow.output_settings.dryrun:
        logger.addHandler(_Forewarning(read, workflow))
    return Plan(read, folder, _Predicting(read, folder) if workflow.is_main_process else None)


class _Predicting:
    """A forecast by the audit, which is loaded once something is asked."""

    def __init__(self, configuration: Configuration, folder: Path) -> None:
        self._configuration, self._folder = configuration, folder

    @cached_property
    def _predictions(self) -> Predictions:
        from ..audit.predictions import Predictions

        return Predictions(self._configuration, self._folder / "resources")

    def seconds(self, rule: str, wildcards: Mapping[str, str], gpus: int, threads: int) -> float | None:
        return self._predictions.seconds(rule, wildcards, gpus, threads)

    def weights_megabytes(self, rule: str, wildcards: Mapping[str, str], gpus: int) -> float:
        return self._predictions.weights_megabytes(rule, wildcards, gpus)


def _with_own_resources(value: Any, folder: Path) -> Any:
    """A configuration whose paths below resources/ lead to the workflow's, where the working folder has none."""
    if isinstance(value, Mapping):
        return {key: _with_own_resources(each, folder) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_own_resources(each, folder) for each in value]
    if isinstance(value, str) and value.startswith("resources/") and not Path(value).exists():
        return str(folder / value) if (folder / value).exists() else value
    return value


def checking(workflow: Any) -> Callable[[Wildcards], list[str]]:
    """End this `snakemake` with a check where its command line has the target `check`.

    Snakemake plans all targets together, would run the others, and wants to know how many cores. So the check is a
    program of its own, for which the other targets are what is checked. Returns an input function that refuses a check
    that was not asked for on the command line.
    """
    asked, folder = sys.argv[1:], Path(__file__).resolve().parents[4]
    own = folder == Path(workflow.basedir).resolve()  # and no module of another workflow
    if own and workflow.is_main_process and CHECK in asked:
        with redirect_stderr(StringIO()):  # which profiles it reads, Snakemake has said already
            _, options = parse_args(asked)
        if CHECK in options.targets:
            script = folder / "workflow" / "scripts" / "check.py"
            others = [word for word in asked if word != CHECK]
            raise SystemExit(subprocess.run([sys.executable, script, *others]).returncode)

    def refuse(wildcards: Wildcards) -> list[str]:
        raise WorkflowError("The target `check` is one of a command line. Fix: call `snakemake check`.")

    return refuse


def refusing(files: Callable[[Wildcards], list[str]]) -> Callable[[Wildcards], list[str]]:
    """An input function whose InputError is shown as Snakemake shows its own."""

    def or_stop(wildcards: Wildcards) -> list[str]:
        try:
            return files(wildcards)
        except InputError as error:
            raise WorkflowError(str(error)) from None

    return or_stop


def before_first_job(made: Plan, workflow: Any) -> None:
    """Stop a run that would fail or do harm; then write the configuration that its jobs read."""
    planned = list(workflow.dag.needrun_jobs())
    try:
        left = unfinished_jobs(Path())
    except InputError as error:  # nor does SLURM take jobs, so only those of an earlier run could do harm
        logger.warning(str(error))
        left = []
    try:
        if left:  # of an earlier `snakemake`, killed since
            raise InputError(
                f"{len(left)} SLURM jobs of an earlier run in this folder are not finished: {' '.join(left)}. They "
                "write the files that this run would make.",
                hint="let them end, or cancel them with `make cluster-cancel`; then start again.",
            )
        refusals.outputs_without_access((job.rule.name, str(file)) for job in planned for file in job.output)
        if not _makes_environments(workflow):
            refusals.foreign_python()
        _need_packages(made.configuration, workflow, planned)
        write_resolved(made.configuration)
    except InputError as error:
        raise WorkflowError(str(error)) from None


def _makes_environments(workflow: Any) -> bool:
    return "conda" in map(str, workflow.deployment_settings.deployment_method)


def _need_packages(configuration: Configuration, workflow: Any, jobs: Iterable[Any]) -> None:
    """Raise InputError where planned jobs need vLLM or TensorBoard and would not find it."""
    planned, conda = list(jobs), _makes_environments(workflow)
    if not conda and any(job.rule.name == "train" for job in planned):
        refusals.missing_tensorboard(configuration)
    if conda and configuration.performance.annotate.python == "python":
        return
    for job in planned:
        names = job.wildcards_dict
        asked = names.get("annotator") or names.get("generator")
        if asked and configuration.annotators[asked].engine == "vllm" and job.params.get("python"):
            refusals.missing_vllm(configuration)
            return


class _Forewarning(logging.Handler):
    """Says in a dry run what a run would be refused for."""

    def __init__(self, configuration: Configuration, workflow: Any) -> None:
        super().__init__()
        self._configuration, self._workflow = configuration, workflow

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        if get_event(record) == LogEvent.RUN_INFO:
            logger.removeHandler(self)
            try:
                _need_packages(self._configuration, self._workflow, self._workflow.dag.needrun_jobs())
            except InputError as error:
                logger.warning(f"A run would stop: {error}")


def tell_what_failed(snakemake_logs: list[str]) -> None:
    """Repeat, as the last thing on the terminal, what each failed job says; Snakemake puts whole commands before it."""
    text = "\n".join(Path(log).read_text(errors="replace") for log in snakemake_logs)
    logs = re.findall(r"^ +log: (.+) \(check log file\(s\) for error details\)$", text, re.MULTILINE)
    words = [f"{log}: {last_words(Path(log))}" for log in dict.fromkeys(logs)]
    if words:
        logger.error("\n".join(("What failed, and why:", *words)))


def last_words(log: Path) -> str:
    """The error of a job's log, or the last of its lines where it names none; a killed job has no time for one."""
    try:
        lines = list(filter(None, log.read_text(errors="replace").splitlines()))
    except OSError:
        lines = []
    if errors := [line for line in lines if line.startswith("error: ")]:
        return printable(errors[-1])  # a program of others may have written to the log too
    if any(line.startswith("Traceback") for line in lines):
        return printable(lines[-1])
    killed = "it ended without an error: the system may have killed it, for want of memory"
    return printable(" / ".join([*lines[-2:], killed]))
