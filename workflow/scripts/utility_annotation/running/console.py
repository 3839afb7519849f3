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
"""How Snakemake 9.27 sums up that jobs failed. The console names them, so it leaves these lines out."""

FAILED_COMMAND = "CalledProcessError"
"""What Snakemake 9.27 says of a command that failed, before it says so of the job."""

CANCELLED = "Terminating processes on user request"
"""What Snakemake 9.27 says after Ctrl-C."""

_TOLD = (CANCELLED, "Trying to restart", "Will exit after", "Creating conda", "Downloading packages")
"""How those of Snakemake's messages begin that a person waits for."""

_SECONDS_BETWEEN_LINES = 10.0
"""In a file, while jobs finish."""
_SECONDS_BETWEEN_SIGNS = 300.0
"""In a file, while none finishes."""
_WIDTH = 78
"""Of the status line at most. The lines of long jobs are wider, so they cover it."""


class Console(logging.Handler):
    """Shows a run on the stream of Snakemake's own handler, which is silent meanwhile.

    Args:
        output: Snakemake's handler.
        workflow: Snakemake's workflow.
        tables: names of the configuration's tables.
    """

    def __init__(self, output: ColorizingTextHandler, workflow: Any, tables: Sequence[str]) -> None:
        super().__init__()
        self._output, self._workflow, self._tables = output, workflow, tables
        self._live = output.is_tty and os.environ.get("TERM") != "dumb"
        self._run: Run | None = None
        self._changed, self._last = False, time.monotonic()
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
            self._changed = True
            if (stage := run.finish(facts.job_id, now)) is not None:
                self._say(stage_line(run, stage, now))
        elif run is not None and event == LogEvent.JOB_ERROR:
            run.fail(facts.jobid)
            cancelled = any(words.startswith(CANCELLED) for words in self._said)
            line = failure_line(facts.rule_name, facts.output, facts.log, cancelled)
            self._say(self._output.decorate(record, line))
        elif event == LogEvent.GROUP_ERROR:  # each of its jobs is told as well
            line = failure_line("jobs that were submitted together", [], facts.aux_logs)
            self._say(self._output.decorate(record, line))
        elif run is not None and any(words in said for words in ENDS_WITH_FAILURES):
            if not self._ended.is_set():
                self._end()
                self._say(self._output.decorate(record, stop_line(run, now)))
                self._say(f"all that Snakemake says: {_log(self._workflow)}")
        elif (record.levelno >= logging.WARNING or said.startswith(_TOLD)) and said not in self._said:
            self._said.add(said)
            if not (event == LogEvent.ERROR and FAILED_COMMAND in said):  # its job is told, and the command is long
                self._say(self._output.decorate(record, self._output.format(record)))
        self._refresh(now)

    def _begin(self, stats: Mapping[str, int], now: float) -> None:
        targets = {rule.name for rule in self._workflow.rules if not rule.output}
        planned = {rule: number for rule, number in stats.items() if rule not in targets and rule != "total"}
        self._run = run = Run(now, Counter(planned))
        if planned:
            self._say(plan_line(run))
        self._say(f"all that Snakemake says: {_log(self._workflow)}; what a job says: logs/")
        if not self._workflow.local_exec:
            self._say("jobs wait in the queue of the cluster first; `squeue --me` shows which run")
        Thread(target=self._keep_fresh, daemon=True).start()

    def _keep_fresh(self) -> None:
        while not self._ended.wait(1.0):
            with self.lock:  # type: ignore[union-attr]
                self._refresh(time.monotonic())

    def _refresh(self, now: float) -> None:
        if self._run is None or not self._run.planned or self._ended.is_set():
            return
        if self._live:  # the cursor rests at the start, so that the line of a long job covers this one
            width = min(_WIDTH, shutil.get_terminal_size().columns - 1)
            _write(self._output.stream, f"\r{status_line(self._run, now)[:width]}\x1b[K\r")
        elif now - self._last >= (_SECONDS_BETWEEN_LINES if self._changed else _SECONDS_BETWEEN_SIGNS):
            self._say(status_line(self._run, now))

    def _say(self, line: str) -> None:
        self._changed, self._last = False, time.monotonic()
        _write(self._output.stream, f"\r\x1b[K{line}\n" if self._live else f"{line}\n")

    def _end(self) -> None:
        self._ended.set()
        if self._live:
            _write(self._output.stream, "\r\x1b[K")

    def succeed(self) -> None:
        """The run ends well: show the results."""
        with self.lock:  # type: ignore[union-attr]
            self._end()
            try:
                tell_results(self._workflow, self._tables)
            except Exception as error:  # the results are there all the same
                logger.warning(f"the results cannot be shown: {error!r}")

    def close(self) -> None:
        """See ``logging.Handler``."""
        if self._active:
            self._end()
        super().close()


def attach(workflow: Any, tables: Sequence[str]) -> Console | None:
    """Show the run that follows, unless Snakemake is asked to show it itself.

    Args:
        workflow: Snakemake's workflow.
        tables: names of the configuration's tables.
    """
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
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    named = [os.path.relpath(file) for file in workflow.config_settings.configfiles]
    of_make = "MAKELEVEL" in os.environ and os.environ.get("VIRTUAL_ENV") != sys.prefix  # its PATH is not the shell's
    lines = closing_lines(
        asked,
        tables,
        log=_log(workflow),
        width=width,
        configurations=named,
        activation=f". {os.path.relpath(sys.prefix)}/bin/activate" if of_make else "",
    )
    _write(sys.stdout, "\n".join(lines) + "\n")


def _log(workflow: Any) -> str:
    """Snakemake's log of this run, from the working folder."""
    files = [os.path.relpath(file) for file in workflow.logger_manager.get_logfile()]
    return ", ".join(files) or "nowhere"


def _write(stream: TextIO, text: str) -> None:
    """Write what the stream's encoding has characters for; a reader that went away, as ``head`` does, is no failure."""
    encoding = stream.encoding or "utf-8"
    with suppress(BrokenPipeError):
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
