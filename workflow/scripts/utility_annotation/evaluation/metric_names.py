"""The names of retrieval metrics, such as ``ndcg@10``; apart from their computing, which loads a large package."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..common.errors import InputError

METRICS = ("mrr", "ndcg", "recall", "map", "precision", "success")


def parse(metric: str) -> tuple[str, int]:
    """Name and cutoff; 0 is no cutoff.

    Raises:
        InputError: an unknown metric.
    """
    match = re.fullmatch(r"(\w+?)(?:@([1-9]\d*))?", metric)
    if match is None or match[1] not in METRICS or (match[1] == "precision" and match[2] is None):
        raise InputError(
            f"{metric!r} is no metric that is known here.",
            hint=f"use one of {', '.join(METRICS)}, with a cutoff as in ndcg@10.",
        )
    return match[1], int(match[2] or 0)


def largest_cutoff(metrics: Sequence[str]) -> int | None:
    """How far down a ranking metrics look; None where one of them has no cutoff.

    Raises:
        InputError: an unknown metric.
    """
    cutoffs = [parse(metric)[1] for metric in metrics]
    return max(cutoffs) if all(cutoffs) else None
