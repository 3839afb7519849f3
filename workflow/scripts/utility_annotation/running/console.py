"""What a person sees of a run: the plan, how far each stage is, what failed, and at the end the results.

Snakemake's own messages go to its log file, which is named. The console steps aside where Snakemake is asked for
messages of its own (``--verbose``, ``-p``, ``--quiet``, ``--debug-dag``, ``--logger``), where nothing is run (``-n``,
``--list``, ``--summary``, …), and in the processes that Snakemake starts for its jobs.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Any, TextIO

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import ColorizingTextHandler, get_event, logger
from snakemake_interface_logger_plugins.common import LogEvent

from .results_text import closing_lines
from .run_state import Run, failure_line, plan_line, stage_line, status_line, stop_line

ENDS_WITH_FAILURES = ("Exiting because a job execution failed", "At least one job did not complete successfully")
FAILED_COMMAND = "CalledProcessError"
CANCELLED = "Terminating processes on user request"
"""What Snakemake 9.27 says in the end of failed jobs, of a failed command before its job is named, and after Ctrl-C."""

_TOLD = (CANCELLED, "Trying to restart", "Will exit after", "Creating conda", "Downloading packages")
"""How those of Snakemake's messages begin that a person waits for."""

_SECONDS_BETWEEN_LINES = 30.0


class Console(logging.Handler):
    """Shows a run on the stream of Snakemake's own handler, which is silent meanwhile; see :func:`attach`."""

    def __init__(self, output: ColorizingTextHandler, workflow: Any, tables: Sequence[str]) -> None:
        super().__init__()
        self._output, self._workflow, self._tables = output, workflow, tables
        self._run: Run | None = None
        self._said: set[str] = set()
        self._ended = Event()
        self._active = False
        output.addFilter(self._lets_pass)

    def _lets_pass(self, record: logging.LogRecord) -> bool:
        """Whether Snakemake's handler shows a record: until jobs are to be run."""
        self._active = self._active or get_event(record) == LogEvent.WORKFLOW_STARTED
        return not self._active

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        if not self._active:
            return
        try:
            self._take(record, time.monotonic())
        except Exception:
            self.handleError(record)

    def _take(self, record: logging.LogRecord, now: float) -> None:
        event, run, said = get_event(record), self._run, record.getMessage()
        facts: Any = record  # Snakemake adds what an event is about as attributes
        if event == LogEvent.RUN_INFO:
            self._begin(facts.stats, now)
        elif said == NOTHING_TO_BE_DONE_MSG:
            self._say(said)
            self.succeed()
        elif run is not None and event == LogEvent.JOB_INFO:
            run.start(facts.jobid, facts.rule_name, now)
        elif run is not None and event == LogEvent.JOB_FINISHED:
            if (stage := run.finish(facts.job_id, now)) is not None:
                self._say(stage_line(run, stage, now))
        elif run is not None and event == LogEvent.JOB_ERROR:
            run.fail(facts.jobid)
            cancelled = any(words.startswith(CANCELLED) for words in self._said)
            self._warn(record, failure_line(facts.rule_name, facts.output, facts.log, cancelled))
        elif event == LogEvent.GROUP_ERROR:  # each of its jobs is told as well
            self._warn(record, failure_line("jobs that were submitted together", [], facts.aux_logs))
        elif run is not None and any(words in said for words in ENDS_WITH_FAILURES):
            if not self._ended.is_set():
                self._ended.set()
                self._warn(record, stop_line(run, now))
                self._say(f"all that Snakemake says: {_log(self._workflow)}")
        elif (record.levelno >= logging.WARNING or said.startswith(_TOLD)) and said not in self._said:
            self._said.add(said)
            if not (event == LogEvent.ERROR and FAILED_COMMAND in said):  # its job is told, and the command is long
                self._warn(record, self._output.format(record))

    def _begin(self, stats: Mapping[str, int], now: float) -> None:
        targets = {rule.name for rule in self._workflow.rules if not rule.output}
        planned = {rule: number for rule, number in stats.items() if rule not in targets and rule != "total"}
        self._run = run = Run(now, Counter(planned))
        if planned:
            self._say(plan_line(run))
            Thread(target=self._tell_status, args=(run,), daemon=True).start()
        self._say(f"all that Snakemake says: {_log(self._workflow)}; what a job says: logs/")
        if not self._workflow.local_exec:
            self._say("jobs wait in the queue of the cluster first; `squeue --me` shows which run")

    def _tell_status(self, run: Run) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_LINES):
            with self.lock:  # type: ignore[union-attr]
                if not self._ended.is_set():
                    self._say(status_line(run, time.monotonic()))

    def _say(self, line: str) -> None:
        _write(self._output.stream, f"{line}\n")

    def _warn(self, record: logging.LogRecord, line: str) -> None:
        self._say(self._output.decorate(record, line))

    def succeed(self) -> None:
        """The run ends well: show the results."""
        with self.lock:  # type: ignore[union-attr]
            self._ended.set()
            try:
                tell_results(self._workflow, self._tables)
            except Exception as error:  # the results are there all the same
                logger.warning(f"the results cannot be shown: {error!r}")

    def close(self) -> None:
        """See ``logging.Handler``."""
        self._ended.set()
        super().close()


def attach(workflow: Any, tables: Sequence[str]) -> Console | None:
    """Show the run that follows, and at its end the configuration's tables, unless Snakemake is to show it itself."""
    output = next((handler for handler in logger.handlers if isinstance(handler, ColorizingTextHandler)), None)
    settings = workflow.output_settings
    own = settings.verbose or settings.printshellcmds or settings.debug_dag or settings.quiet
    if output is None or own or settings.dryrun or not workflow.is_main_process:
        return None
    console = Console(output, workflow, tables)
    logger.addHandler(console)
    return console


def tell_results(workflow: Any, tables: Sequence[str]) -> None:
    """Show on standard output what a run that went well has made."""
    asked = [str(file) for job in workflow.dag.targetjobs for file in (job.output or job.input)]
    of_make = "MAKELEVEL" in os.environ and os.environ.get("VIRTUAL_ENV") != sys.prefix  # its PATH is not the shell's
    lines = closing_lines(
        asked,
        tables,
        log=_log(workflow),
        width=shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000,
        configurations=list(map(os.path.relpath, workflow.config_settings.configfiles)),
        activation=f". {os.path.relpath(sys.prefix)}/bin/activate" if of_make else "",
    )
    _write(sys.stdout, "\n".join(lines) + "\n")


def _log(workflow: Any) -> str:
    """Snakemake's log of this run, from the working folder."""
    return ", ".join(map(os.path.relpath, workflow.logger_manager.get_logfile())) or "nowhere"


def _write(stream: TextIO, text: str) -> None:
    """Write what the stream's encoding has characters for; a reader that went away, as ``head`` does, is no failure."""
    encoding = stream.encoding or "utf-8"
    with suppress(BrokenPipeError):
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
