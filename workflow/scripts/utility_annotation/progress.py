"""Progress lines for long jobs: how far, how fast, how long yet. Readable in a log file and on a terminal."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping

LOG = logging.getLogger(__name__)


def log_to_stderr() -> None:
    """Set up a script's log: one line an event, with the time, on standard error."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )


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
