"""Progress lines of long jobs, in the log and on a terminal: how much is done, how fast, and the time left."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

from .errors import printable

_Item = TypeVar("_Item")

LOG = logging.getLogger(__name__)
"""Progress lines are logged here, and nothing else."""

_WRITTEN = ("--stage", "--shard", "--annotation", "--output")
"""Options of scripts that say what a job writes."""
_SECONDS_BETWEEN_LINES = 10.0
"""On the terminal, which several jobs share."""
_SECONDS_BETWEEN_LOG_LINES = 5.0


class _Line(logging.Formatter):
    """A record as one line, with the time: text from outside in it neither steers a terminal nor begins a line."""

    def __init__(self, form: str) -> None:
        super().__init__(form, datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log on standard error, with the time; show progress lines on the terminal too if standard error is a file."""
    if logging.getLogger().handlers:
        return
    logged = logging.StreamHandler()
    logged.setFormatter(_Line("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[logged])
    if sys.stderr.isatty():
        return
    try:
        stream = os.fdopen(os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY), "w", encoding="utf-8", errors="replace")
    except OSError:  # there is no terminal
        return
    command = [text for text in sys.argv[1:2] if not text.startswith("-")]
    written = [value for option, value in pairwise(sys.argv) if option in _WRITTEN]
    job = " ".join([Path(sys.argv[0]).stem, *command, *written]).replace("%", "%%")
    terminal = logging.StreamHandler(stream)
    terminal.setFormatter(_Line(f"%(asctime)s {job}: %(message)s"))
    last = time.monotonic()

    def is_due(_: logging.LogRecord) -> bool:
        nonlocal last
        due = time.monotonic() - last >= _SECONDS_BETWEEN_LINES
        last = time.monotonic() if due else last
        return due

    terminal.addFilter(is_due)
    LOG.addHandler(terminal)


class Progress:
    """Counts work done and logs a line at most every ``interval`` seconds, and one at the end.

    Args:
        what: what is being done, such as ``encoding``.
        total: units in all; None if unknown.
        unit: name of a unit, in the plural; empty for work that counts nothing, whose lines show the time alone.
        interval: seconds between lines; None is the usual pause.
        brief: whether work that was done within one interval gets no line at all.
        details: further figures for a line, as a function of the seconds since the start.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        unit: str = "",
        *,
        interval: float | None = None,
        brief: bool = False,
        details: Callable[[float], Iterable[str]] | None = None,
    ) -> None:
        self.what, self.total, self.unit, self._details = what, total, unit, details
        self.interval = _SECONDS_BETWEEN_LOG_LINES if interval is None else interval
        self.done = self.skipped = 0
        self._silent = brief
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return max(time.monotonic() - self._start, 1e-9)

    def skip(self, units: int) -> None:
        """Count ``units`` more as done that took no time here: no rate includes them."""
        self.done += units
        self.skipped += units

    def add(self, units: int, *, due: bool = False) -> None:
        """Count ``units`` more as done, and log a line if it is time for one, or if it is ``due``."""
        self.done += units
        late = time.monotonic() - self._last >= self.interval
        if late or due or (self.done == self.total and not self._silent):
            self.tell()

    def tell(self) -> None:
        """Log a line now."""
        self._last, self._silent = time.monotonic(), False
        seconds = self.seconds
        rate = (self.done - self.skipped) / seconds
        of_total = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{self.what}: {self.done:,}{of_total} {self.unit}", f"{rate:,.1f} a second"]
        parts += self._details(seconds) if self._details else ()
        left = 0 if self.total is None else self.total - self.done
        parts.append(f"{_clock(left / rate)} left" if left > 0 and rate else _clock(seconds))
        LOG.info(", ".join(parts) if self.unit else f"{self.what}: {_clock(seconds)} so far")

    @contextmanager
    def watching(self, position: Callable[[], int] | None = None) -> Iterator[None]:
        """Log a line every ``interval`` seconds from a thread, until the block ends.

        ``position`` returns the units done, for work that is not counted. A long block then has a line at its end too.
        """
        ended = Event()

        def watch() -> None:
            while not ended.wait(self.interval):
                self.done = position() if position else self.done
                self.tell()

        thread = Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if position and self.seconds >= self.interval:
                self.done = position()
                self.tell()


def counted(items: Iterable[_Item], what: str, unit: str, total: int | None = None) -> Iterator[_Item]:
    """The items; each counts as done when the caller asks for the next. ``total`` is for items without a length."""
    progress = Progress(what, len(items) if isinstance(items, Sized) else total, unit, brief=True)
    for item in items:
        yield item
        progress.add(1)


def waiting(what: str, interval: float | None = None) -> AbstractContextManager[None]:
    """Log regularly that ``what`` still runs, for work that counts nothing."""
    return Progress(what, interval=interval).watching(lambda: 0)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
