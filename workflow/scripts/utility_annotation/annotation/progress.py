"""The counts of one annotation job, in its progress lines and in its summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..common.progress import Progress
from ..engines.protocol import Failure, Result, tokens


class AnnotationProgress(Progress):
    """Counts requests, tokens and outcomes; a stored result counts as skipped, so no rate includes it."""

    def __init__(self) -> None:
        super().__init__("annotating", 0, "completions", details=self._figures)
        self.failed = self.prompt_tokens = self.new_tokens = 0
        self.engine_seconds = 0.0
        self.last_failure = ""
        self.outcomes: Counter[str] = Counter()

    @property
    def made(self) -> int:
        """Requests that the engine served or failed to serve."""
        return self.done - self.skipped

    def count(self, result: Result) -> None:
        """Count the engine's result of one request, a failure included."""
        self.done += 1
        if isinstance(result, Failure):
            self.failed += 1
            self.last_failure = result.reason
        read, generated = tokens(result)
        self.prompt_tokens += read
        self.new_tokens += generated

    def summary(self) -> dict[str, Any]:
        """The counts, ready for JSON; tokens and ``engine_seconds`` leave out what came from the store."""
        return {
            "queries": self.outcomes.total(),
            "outcomes": dict(sorted(self.outcomes.items())),
            "requests": self.total,
            "from_store": self.skipped,
            "made": self.made,
            "failed": self.failed,
            "prompt_tokens": self.prompt_tokens,
            "new_tokens": self.new_tokens,
            "engine_seconds": round(self.engine_seconds, 3),
            "seconds": round(self.seconds, 3),
        }

    def _figures(self, seconds: float) -> Iterator[str]:
        yield f"{self.prompt_tokens / seconds:,.0f} prompt tokens a second"
        yield f"{self.new_tokens / seconds:,.0f} new tokens a second"
        yield f"{self.skipped:,} from the store"
        outcomes = (f"{name} {count:,}" for name, count in sorted(self.outcomes.items()))
        yield f"outcomes: {', '.join(outcomes) or 'none yet'}"
