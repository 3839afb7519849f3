"""A choice of questions in which rare things are well represented."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator

from ..common.hashing import random_place


class Choice:
    """Questions by group; the ones to show are taken in turn from one group after the other.

    The choice depends on the seed, the ids and their groups only, not on the order of the questions. Memory is
    ``size`` ids per group.

    Args:
        size: how many to choose.
        seed: decides which questions of a group are chosen.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self.counts: Counter[str] = Counter()
        self._kept: dict[str, list[tuple[float, str]]] = {}

    def offer(self, query_id: str, groups: Iterable[str]) -> None:
        """Add a question, which is in at least one group."""
        entry = (-random_place(query_id, self.seed), query_id)  # the largest leave first
        for group in groups:
            self.counts[group] += 1
            kept = self._kept.setdefault(group, [])
            if len(kept) < self.size:
                heapq.heappush(kept, entry)
            elif kept and entry > kept[0]:
                heapq.heapreplace(kept, entry)

    def chosen(self) -> list[str]:
        """The chosen questions: first one of each group, the rarest group first, then a second one of each, …

        As many as asked for, or all that there are; while there are fewer groups than that, each has its share.
        """
        rarest_first = sorted(self._kept, key=lambda group: (self.counts[group], group))
        queues = [iter(sorted(self._kept[group], reverse=True)) for group in rarest_first]
        found: dict[str, None] = {}
        while queues and len(found) < self.size:
            queues = [queue for queue in queues if len(found) >= self.size or _take(queue, found)]
        return list(found)


def _take(queue: Iterator[tuple[float, str]], found: dict[str, None]) -> bool:
    """Add the next of a group that is not chosen yet; False where there is none."""
    for _, query_id in queue:
        if query_id not in found:
            found[query_id] = None
            return True
    return False
