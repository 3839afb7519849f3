"""Count what filters drop, and show some of it, in flat memory."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..common.hashing import random_place

_LOG = logging.getLogger(__name__)
_EXAMPLES, _SHOWN = 5, 3


class Dropped:
    """Counts by filter, and a few questions of each. The choice of these does not depend on the order of the rows."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self._examples: dict[str, list[tuple[float, dict[str, str]]]] = {}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows of schema ``DROPPED_QUESTIONS``."""
        for row in rows:
            self.counts[row["filter"]] += 1
            kept = self._examples.setdefault(row["filter"], [])
            place = random_place(row["query_id"], 0)
            if len(kept) < _EXAMPLES or place < kept[-1][0]:
                kept.append((place, {key: row[key] for key in ("query_id", "text", "reason")}))
                kept.sort(key=lambda example: example[0])
                del kept[_EXAMPLES:]

    def examples(self) -> dict[str, list[dict[str, str]]]:
        """By filter, some questions with their reasons."""
        return {name: [example for _, example in kept] for name, kept in self._examples.items()}

    def log(self) -> None:
        """Show some of each filter in the log."""
        for name, examples in self.examples().items():
            for each in examples[:_SHOWN]:
                _LOG.info("dropped by %s (%d in all): %r, as %s", name, self.counts[name], each["text"], each["reason"])

    def __str__(self) -> str:
        return ", ".join(f"{name}: {number}" for name, number in self.counts.items()) or "none was written"
