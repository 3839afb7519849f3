"""What a user sees while a shard is annotated, and what is kept of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..common.progress import LOG, regularly
from ..engines.protocol import Failure, Result, tokens

_SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Counts requests, tokens and outcomes, and logs a line every five seconds in which an engine is at work."""

    def __init__(self) -> None:
        self.total = self.stored = self.made = self.failed = self.prompt_tokens = self.new_tokens = 0
        self.last_failure = ""
        self.outcomes: Counter[str] = Counter()
        self.engine_seconds = 0.0
        self._start = time.monotonic()

    def expect(self, requests: int) -> None:
        """Count requests that are to come; retries come on top of those expected at first."""
        self.total += requests

    def add_stored(self) -> None:
        """Count a result that was in the completion store."""
        self.stored += 1

    def add(self, result: Result) -> None:
        """Count what the engine made of one request, be it a failure."""
        self.made += 1
        if isinstance(result, Failure):
            self.failed += 1
            self.last_failure = result.reason
        read, written = tokens(result)
        self.prompt_tokens += read
        self.new_tokens += written

    @contextmanager
    def engine(self) -> Iterator[None]:
        """Count the time that passes as the engine's, and show how far it is, also while no result comes."""
        start = time.monotonic()
        try:
            with regularly(_SECONDS_BETWEEN_LINES, lambda: LOG.info("%s", self._line())):
                yield
        finally:
            self.engine_seconds += time.monotonic() - start

    @property
    def may_be_stored(self) -> bool:
        """Whether the store may know what is asked next, which in a large store takes its time to find out.

        An earlier job got as far only if it stored what came before, and that is in the store or else was made anew.
        """
        return bool(self.stored) or self.failed == self.made

    @property
    def in_vain(self) -> bool:
        """Whether the engine was asked, and neither it nor the store had a result for any request."""
        return bool(self.made) and self.failed == self.made and not self.stored

    def outcome(self, name: str) -> None:
        """Count a query that has its row."""
        self.outcomes[name] += 1

    def finish(self) -> None:
        """Log the summary line."""
        LOG.info("finished: %s", self._line())

    def summary(self) -> dict[str, Any]:
        """The counts of this job, ready for JSON.

        What came from the store cost this job nothing and counts apart: ``prompt_tokens``, ``new_tokens`` and
        ``engine_seconds`` are those of what the engine made.
        """
        return {
            "queries": self.outcomes.total(),
            "outcomes": dict(sorted(self.outcomes.items())),
            "requests": self.total,
            "from_store": self.stored,
            "made": self.made,
            "failed": self.failed,
            "prompt_tokens": self.prompt_tokens,
            "new_tokens": self.new_tokens,
            "engine_seconds": round(self.engine_seconds, 3),
            "seconds": round(self._seconds(), 3),
        }

    def _seconds(self) -> float:
        return max(time.monotonic() - self._start, 1e-3)

    def _line(self) -> str:
        seconds = self._seconds()
        left = self.total - self.stored - self.made
        outcomes = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items())) or "none yet"
        time_left = f", {left * seconds / self.made:.0f} s left" if left and self.made else ""
        return (
            f"{self.stored + self.made}/{self.total} completions ({self.stored} from the store), "
            f"{self.made / seconds:.2f} completions/s, {self.prompt_tokens / seconds:.0f} prompt tokens/s, "
            f"{self.new_tokens / seconds:.0f} new tokens/s, outcomes: {outcomes}, {seconds:.0f} s{time_left}"
        )
