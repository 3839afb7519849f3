"""Progress lines for long jobs: how far, how fast, how long yet. In the log, and on the terminal if there is one."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

LOG = logging.getLogger(__name__)
"""Progress lines are logged here, and nothing else."""

_TERMINAL = "/dev/tty"
_SECONDS_BETWEEN_LINES = 10.0


def log_to_stderr() -> None:
    """Set up a script's log: one line an event, with the time, on standard error.

    Where standard error is a file, as in Snakemake's jobs, and there is a terminal all the same, progress lines are
    shown there as well: after the first ten seconds, at most one every ten.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    if not sys.stderr.isatty() and (terminal := _open_terminal()) is not None:
        LOG.addHandler(terminal)


def _open_terminal() -> logging.Handler | None:
    try:
        stream = os.fdopen(os.open(_TERMINAL, os.O_WRONLY | os.O_NOCTTY), "w", encoding="utf-8", errors="replace")
    except OSError:
        return None
    terminal = logging.StreamHandler(stream)
    terminal.setFormatter(logging.Formatter(f"%(asctime)s {_job()}: %(message)s", datefmt="%H:%M:%S"))
    terminal.addFilter(_Seldom())
    return terminal


def _job() -> str:
    """The script and what it writes: several jobs share a terminal."""
    outputs = [value for option, value in pairwise(sys.argv) if option.startswith("--output")]
    return " ".join([Path(sys.argv[0]).stem, *outputs[:1]]).replace("%", "%%")


class _Seldom(logging.Filter):
    """Lets a line pass if the last, or the start, is some time ago."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        due = time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES
        if due:
            self._last = time.monotonic()
        return due


class Progress:
    """Counts work done and logs a line at most every ``interval`` seconds, and one at the end.

    Args:
        what: what is being done, such as ``encoding``.
        total: units in all.
        unit: name of a unit, in the plural.
        interval: seconds between lines.
    """

    def __init__(self, what: str, total: int, unit: str, *, interval: float = 5.0) -> None:
        self.what, self.total, self.unit, self.interval = what, total, unit, interval
        self.done = 0
        self._start = self._last = time.monotonic()

    def add(self, units: int, details: Callable[[float], Mapping[str, str]] | None = None) -> None:
        """Count ``units`` more as done.

        Args:
            units: how many.
            details: further figures for the line, as a function of the seconds since the start; called only when a
                line is written.
        """
        self.done += units
        now = time.monotonic()
        if now - self._last < self.interval and self.done < self.total:
            return
        self._last = now
        seconds = max(now - self._start, 1e-9)
        rate = self.done / seconds
        parts = [f"{self.what}: {self.done:,} of {self.total:,} {self.unit}", f"{rate:,.1f} a second"]
        parts += [f"{name} {value}" for name, value in (details(seconds) if details else {}).items()]
        parts.append(f"{_clock((self.total - self.done) / rate)} left" if self.done < self.total else _clock(seconds))
        LOG.info(", ".join(parts))


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
