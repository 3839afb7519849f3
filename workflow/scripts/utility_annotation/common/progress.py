"""Progress lines of long jobs, in the log and on a terminal: how much is done, how fast, and the time left."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
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
"""Between two lines about work whose progress nobody counts."""


def log_to_stderr() -> None:
    """Set up a script's log: one line an event, with the time, on standard error.

    Snakemake sends standard error to a file. If there is a terminal all the same, it shows progress lines too: the
    first after ten seconds, then at most one every ten seconds.
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
    """The script, its command and what it writes, since several jobs share a terminal."""
    command = [text for text in sys.argv[1:2] if not text.startswith("-")]
    written = [value for option, value in pairwise(sys.argv) if option in _WRITTEN]
    return " ".join([Path(sys.argv[0]).stem, *command, *written]).replace("%", "%%")


class _Seldom(logging.Filter):
    """Lets a line pass if enough time has passed since the last one, or since the start."""

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
        details: further figures for a line, as a function of the seconds since the start.
    """

    def __init__(
        self,
        what: str,
        total: int | None,
        unit: str,
        *,
        interval: float | None = None,
        brief: bool = False,
        details: Callable[[float], Iterable[str]] | None = None,
    ) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.interval = _SECONDS_BETWEEN_LOG_LINES if interval is None else interval
        self.done = 0
        self._skipped = 0
        self._silent = brief
        self._details = details
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return max(time.monotonic() - self._start, 1e-9)

    def expect(self, units: int) -> None:
        """Count ``units`` more as work to do."""
        self.total = (self.total or 0) + units

    def skip(self, units: int) -> None:
        """Count ``units`` more as done that took no time here: no rate includes them."""
        self.done += units
        self._skipped += units

    def count(self, units: int) -> None:
        """Count ``units`` more as done, and log nothing."""
        self.done += units

    def add(self, units: int, *, due: bool = False) -> None:
        """Count ``units`` more as done, and log a line if it is time for one, or if it is ``due``."""
        self.count(units)
        late = time.monotonic() - self._last >= self.interval
        if late or due or (self.done == self.total and not self._silent):
            self.tell()

    def tell(self) -> None:
        """Log a line now."""
        self._last, self._silent = time.monotonic(), False
        seconds = self.seconds
        rate = (self.done - self._skipped) / seconds
        of_total = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{self.what}: {self.done:,}{of_total} {self.unit}", f"{rate:,.1f} a second"]
        parts += self._details(seconds) if self._details else ()
        left = 0 if self.total is None else self.total - self.done
        parts.append(f"{_clock(left / rate)} left" if left > 0 and rate else _clock(seconds))
        LOG.info(", ".join(parts))


def counted(items: Iterable[_Item], what: str, unit: str, total: int | None = None) -> Iterator[_Item]:
    """The items one by one; each counts as done when the caller asks for the next. Short work logs no line.

    Args:
        items: the items to work through.
        what: what is done with them.
        unit: what they are, in the plural.
        total: how many there are, if ``items`` has no length.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    progress = Progress(what, total, unit, brief=True)
    for item in items:
        yield item
        progress.add(1)


@contextmanager
def waiting(what: str, interval: float | None = None) -> Iterator[None]:
    """Log every ``interval`` seconds that ``what`` still runs, for work that reports no progress itself.

    Work that takes at least one interval also gets a line at its end.
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
    """Call ``tell`` every ``pause`` seconds in a thread of its own, until the block ends."""
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
    """A stream of bytes that counts what is read from it.

    Args:
        stream: the stream to read; it closes with this one.
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
