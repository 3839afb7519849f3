"""Progress lines for long jobs: how far, how fast, how long yet. In the log, and on the terminal if there is one."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any, TypeVar

_Item = TypeVar("_Item")

LOG = logging.getLogger(__name__)
"""Progress lines are logged here, and nothing else."""

_TERMINAL = "/dev/tty"
_WRITTEN = ("--stage", "--shard", "--annotation", "--output")
"""Options of scripts that say what a job writes."""
_SECONDS_BETWEEN_LINES = 10.0
"""On the terminal, which several jobs share."""
_SECONDS_BETWEEN_LOG_LINES = 5.0
_SECONDS_BETWEEN_SIGNS = 10.0
"""Of work that counts nothing."""


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
    """The script, its command and what it writes: several jobs share a terminal."""
    command = [text for text in sys.argv[1:2] if not text.startswith("-")]
    written = [value for option, value in pairwise(sys.argv) if option in _WRITTEN]
    return " ".join([Path(sys.argv[0]).stem, *command, *written]).replace("%", "%%")


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
        total: units in all; None where that is not known beforehand.
        unit: name of a unit, in the plural.
        interval: seconds between lines; None is the usual pause.
        brief: whether work that was done within one interval gets no line at all.
    """

    def __init__(
        self, what: str, total: int | None, unit: str, *, interval: float | None = None, brief: bool = False
    ) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.interval = _SECONDS_BETWEEN_LOG_LINES if interval is None else interval
        self.done = 0
        self._silent = brief
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
        due = now - self._last >= self.interval
        if not due and (self._silent or self.done != self.total):
            return
        self._last, self._silent = now, False
        seconds = max(now - self._start, 1e-9)
        rate = self.done / seconds
        of_total = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{self.what}: {self.done:,}{of_total} {self.unit}", f"{rate:,.1f} a second"]
        parts += [f"{name} {value}" for name, value in (details(seconds) if details else {}).items()]
        left = 0 if self.total is None else self.total - self.done
        parts.append(f"{_clock(left / rate)} left" if left > 0 and rate else _clock(seconds))
        LOG.info(", ".join(parts))


def counted(items: Iterable[_Item], what: str, unit: str, total: int | None = None) -> Iterator[_Item]:
    """The items one by one, each counted as done when the next one is asked for; lines come only where it takes long.

    Args:
        items: whatever is worked through.
        what: what is done with them.
        unit: what they are, in the plural.
        total: how many there are, where ``items`` does not know.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    progress = Progress(what, total, unit, brief=True)
    for item in items:
        yield item
        progress.add(1)


@contextmanager
def waiting(what: str, interval: float | None = None) -> Iterator[None]:
    """Log every ``interval`` seconds that ``what`` is still going on, for work of others that counts nothing for us.

    Work that lasted so long also gets a line at its end.
    """
    pause = _SECONDS_BETWEEN_SIGNS if interval is None else interval
    start = time.monotonic()
    try:
        with regularly(pause, lambda: LOG.info("%s: %s so far", what, _clock(time.monotonic() - start))):
            yield
    finally:
        seconds = time.monotonic() - start
        if seconds >= pause:
            LOG.info("%s: %s in all", what, _clock(seconds))


@contextmanager
def regularly(pause: float, tell: Callable[[], object]) -> Iterator[None]:
    """Call ``tell`` every ``pause`` seconds, in a thread beside the work, for as long as that lasts."""
    done = Event()

    def repeat() -> None:
        while not done.wait(pause):
            tell()

    teller = Thread(target=repeat, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


class CountingReader(io.RawIOBase):
    """A stream of bytes whose reading is counted.

    Args:
        stream: what is read, and closed with this.
        what: what is being done, such as ``reading corpus.tsv``.
        size: bytes in all.
    """

    def __init__(self, stream: IO[bytes] | io.RawIOBase, what: str, size: int) -> None:
        self._stream: Any = stream
        self._progress = Progress(what, size, "bytes", brief=True)

    def readable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """See ``io.RawIOBase``."""
        read = self._stream.readinto(buffer)
        if read:
            self._progress.add(read)
        return read

    def close(self) -> None:
        """See ``io.RawIOBase``."""
        self._stream.close()
        super().close()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
