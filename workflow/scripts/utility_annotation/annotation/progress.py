"""What a user sees while a shard is annotated, and what is kept of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..common.progress import Progress, regularly
from ..engines.protocol import Failure, Result, tokens


class AnnotationProgress:
    """Counts requests, tokens and outcomes. While an engine works, it logs a line every few seconds."""

    def __init__(self) -> None:
        self._completions = Progress("annotating", 0, "completions", details=self._details)
        self.stored = self.failed = self.prompt_tokens = self.new_tokens = 0
        self.last_failure = ""
        self.outcomes: Counter[str] = Counter()
        self.engine_seconds = 0.0

    @property
    def made(self) -> int:
        """Requests that the engine served or failed to serve."""
        return self._completions.done - self.stored

    def expect(self, requests: int) -> None:
        """Count requests to come; retries add to those expected at first."""
        self._completions.expect(requests)

    def add_stored(self) -> None:
        """Count a result that the completion store held."""
        self.stored += 1
        self._completions.skip(1)

    def add(self, result: Result) -> None:
        """Count what the engine made of one request, a failure included."""
        self._completions.count(1)
        if isinstance(result, Failure):
            self.failed += 1
            self.last_failure = result.reason
        read, written = tokens(result)
        self.prompt_tokens += read
        self.new_tokens += written

    @contextmanager
    def engine(self) -> Iterator[None]:
        """Count the time of the block as the engine's, and log lines even while no result comes."""
        start = time.monotonic()
        try:
            with regularly(self._completions.interval, self._completions.tell):
                yield
        finally:
            self.engine_seconds += time.monotonic() - start

    @property
    def may_be_stored(self) -> bool:
        """Whether the store may hold the next requests; looking them up in a large store takes time.

        An earlier job got this far only if it stored the results before. Those are then in the store.
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
        self._completions.what = "annotated"
        self._completions.tell()

    def summary(self) -> dict[str, Any]:
        """The counts of this job, ready for JSON.

        What came from the store cost this job nothing and counts apart: ``prompt_tokens``, ``new_tokens`` and
        ``engine_seconds`` are those of what the engine made.
        """
        return {
            "queries": self.outcomes.total(),
            "outcomes": dict(sorted(self.outcomes.items())),
            "requests": self._completions.total,
            "from_store": self.stored,
            "made": self.made,
            "failed": self.failed,
            "prompt_tokens": self.prompt_tokens,
            "new_tokens": self.new_tokens,
            "engine_seconds": round(self.engine_seconds, 3),
            "seconds": round(self._completions.seconds, 3),
        }

    def _details(self, seconds: float) -> Iterator[str]:
        yield f"{self.prompt_tokens / seconds:,.0f} prompt tokens a second"
        yield f"{self.new_tokens / seconds:,.0f} new tokens a second"
        yield f"{self.stored:,} from the store"
        outcomes = (f"{name} {count:,}" for name, count in sorted(self.outcomes.items()))
        yield f"outcomes: {', '.join(outcomes) or 'none yet'}"
