"""What a user sees while a shard is annotated."""

from __future__ import annotations

import logging
import time
from collections import Counter

from .protocol import Completion, Failure, LogLikelihood, tokens

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Counts requests, tokens and outcomes, and logs a line at most every five seconds.

    Args:
        total: requests of the shard.
        stored: those of them whose results were in the completion store.
    """

    def __init__(self, total: int, stored: int) -> None:
        self.total, self.stored = total, stored
        self.made = self.prompt_tokens = self.new_tokens = 0
        self.outcomes: Counter[str] = Counter()
        self._start = self._last_line = time.monotonic()

    def add(self, result: Completion | LogLikelihood | Failure) -> None:
        """Count what the engine made of one request, be it a failure."""
        self.made += 1
        read, written = tokens(result)
        self.prompt_tokens += read
        self.new_tokens += written
        if time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            logger.info("%s", self._line())

    def finish(self) -> None:
        """Log the summary line."""
        logger.info("finished: %s", self._line())

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-3)
        left = self.total - self.stored - self.made
        outcomes = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items())) or "none yet"
        time_left = f", {left * seconds / self.made:.0f} s left" if left and self.made else ""
        return (
            f"{self.stored + self.made}/{self.total} completions ({self.stored} from the store), "
            f"{self.made / seconds:.2f} completions/s, {self.prompt_tokens / seconds:.0f} prompt tokens/s, "
            f"{self.new_tokens / seconds:.0f} new tokens/s, outcomes: {outcomes}, {seconds:.0f} s{time_left}"
        )
