"""The metrics of retrieval, one entry per metric, and their names with a cutoff, such as ``ndcg@10``.

A metric's function loads its large package when it is first called, so that reading names does not need it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..common.errors import InputError
from ..common.importing import large_packages
from ..settings.base import nearest

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Metric:
    """A metric of retrieval.

    Attributes:
        function: takes the judged passages and their grades (queries, judged, 2), best first; the retrieved ones
            (queries, depth, 2), in order; the cutoff, 0 for none; and the relevance level. Returns one
            value per query. A passage is a number, and -1 fills up a row.
        label: the name in tables and figures.
        description: for the reference of the configuration.
        needs_cutoff: whether it is defined only with a cutoff.
        uses_grades: whether every grade counts, so that it takes no relevance level.
        needs_all_relevant: whether it depends on relevant passages that were not retrieved.
    """

    function: Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]
    label: str
    description: str
    needs_cutoff: bool = False
    uses_grades: bool = False
    needs_all_relevant: bool = False


def _ranx() -> Any:
    with large_packages():
        from ranx import metrics
    return metrics


def _reciprocal_rank(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    return _ranx().reciprocal_rank(judged, retrieved, cutoff, level)


def _ndcg(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    return _ranx().ndcg(judged, retrieved, cutoff, level)


def _recall(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    return _ranx().recall(judged, retrieved, cutoff, level)


def _average_precision(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    return _ranx().average_precision(judged, retrieved, cutoff, level)


def _precision(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    return _ranx().precision(judged, retrieved, cutoff, level)


def _hit_rate(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    return _ranx().hit_rate(judged, retrieved, cutoff, level)


METRICS: dict[str, Metric] = {
    "mrr": Metric(
        function=_reciprocal_rank,
        label="MRR",
        description="one over the rank of the first relevant passage",
    ),
    "ndcg": Metric(
        function=_ndcg,
        label="nDCG",
        description="discounted gain over the best possible one; the gain is the grade",
        uses_grades=True,
        needs_all_relevant=True,
    ),
    "recall": Metric(
        function=_recall,
        label="Recall",
        description="share of the relevant passages that are retrieved",
        needs_all_relevant=True,
    ),
    "map": Metric(
        function=_average_precision,
        label="MAP",
        description="mean precision at the ranks of the relevant passages",
        needs_all_relevant=True,
    ),
    "precision": Metric(
        function=_precision,
        label="Precision",
        description="share of the passages down to the cutoff that are relevant",
        needs_cutoff=True,
    ),
    "success": Metric(
        function=_hit_rate,
        label="Success",
        description="1 if any relevant passage is retrieved, otherwise 0",
    ),
}
"""By the name before the cutoff in ``testsets.*.metrics``."""


def parse(metric: str) -> tuple[str, int]:
    """Name and cutoff; 0 is no cutoff.

    Raises:
        InputError: an unknown metric.
    """
    match = re.fullmatch(r"([\w-]+?)(?:@([1-9]\d*))?", metric)
    name = match[1] if match else metric.partition("@")[0]
    if match is None or name not in METRICS:
        close = "" if name in METRICS else nearest(name, METRICS)
        raise InputError(
            f"{metric!r} is not a known metric{close}.",
            hint=f"use one of {', '.join(METRICS)}, with a cutoff as in ndcg@10.",
        )
    if METRICS[name].needs_cutoff and match[2] is None:
        raise InputError(f"{metric!r} is not a known metric without a cutoff.", hint=f"give it one, as in {metric}@10.")
    return name, int(match[2] or 0)


def largest_cutoff(metrics: Sequence[str]) -> int | None:
    """The largest cutoff of some metrics; None if one of them has no cutoff.

    Raises:
        InputError: an unknown metric.
    """
    cutoffs = [parse(metric)[1] for metric in metrics]
    return max(cutoffs) if all(cutoffs) else None
