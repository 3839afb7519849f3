"""One judgement from several permutations of the same passages.

An LLM favours some places in a list; permutations average that out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from random import Random
from statistics import fmean
from typing import TypeVar

_Item = TypeVar("_Item")


def shown_order(query_id: str, number: int, passages: Sequence[_Item]) -> list[_Item]:
    """The passages in permutation ``number``: 0 as given, the others shuffled by the query's id and the number."""
    order = list(passages)
    if number:
        seed = hashlib.sha256(f"{query_id} {number}".encode()).digest()
        Random(int.from_bytes(seed)).shuffle(order)
    return order


def merge_selections(selections: Sequence[Sequence[str]]) -> list[str]:
    """The docids in more than half of the selections; most votes first, then by mean place in the replies."""
    places: dict[str, list[int]] = defaultdict(list)
    for selection in selections:
        for place, docid in enumerate(selection):
            places[docid].append(place)
    chosen = [docid for docid, found in places.items() if 2 * len(found) > len(selections)]
    return sorted(chosen, key=lambda docid: (-len(places[docid]), fmean(places[docid])))


def merge_rankings(rankings: Sequence[Sequence[str]]) -> list[str]:
    """All docids of the rankings by mean rank; ties in the order in which the rankings first name them.

    The docids that a ranking does not name share the ranks after its last one: each has their mean.
    """
    docids = list(dict.fromkeys(docid for ranking in rankings for docid in ranking))
    ranks: dict[str, list[float]] = defaultdict(list)
    for ranking in rankings:
        found = {docid: rank for rank, docid in enumerate(ranking)}
        for docid in docids:
            ranks[docid].append(found.get(docid, (len(found) + len(docids) - 1) / 2))
    return sorted(docids, key=lambda docid: fmean(ranks[docid]))
