"""The metrics of retrieval, one entry per metric, and their names with a cutoff, such as ``ndcg@10``.

A metric's function loads its large package when it is first called, so that reading names does not need it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ..common.errors import InputError
from ..common.importing import large_packages, part_of
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
        takes_cutoff: whether it can have a cutoff.
    """

    function: Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]
    label: str
    description: str
    needs_cutoff: bool = False
    uses_grades: bool = False
    needs_all_relevant: bool = False
    takes_cutoff: bool = True


@cache
def _ranx() -> Any:
    """ranx's metrics alone: the whole of it loads pandas, scipy and matplotlib too."""
    os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # as ranx sets it
    with large_packages():
        return part_of("ranx", "metrics")


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


def _retrieved_grades(judged: np.ndarray, retrieved: np.ndarray) -> np.ndarray:
    """The grade of each retrieved passage, NaN for an unjudged one; shape (queries, depth)."""
    import numpy as np

    grades = np.full(retrieved.shape[:2], np.nan)
    for row, (known, found) in enumerate(zip(judged, retrieved[..., 0], strict=True)):
        order = np.argsort(known[:, 0])
        places = order[np.searchsorted(known[order, 0], found).clip(max=len(order) - 1)]
        here = (known[places, 0] == found) & (found >= 0)
        grades[row, here] = known[places[here], 1]
    return grades


def _relevant(judged: np.ndarray, level: int) -> np.ndarray:
    """The number of relevant passages per query."""
    return ((judged[..., 0] >= 0) & (judged[..., 1] >= level)).sum(axis=1)


def _r_precision(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    import numpy as np

    relevant = _relevant(judged, level)
    hits = _retrieved_grades(judged, retrieved) >= level
    within = np.arange(hits.shape[1]) < relevant[:, None]
    return (hits & within).sum(axis=1) / relevant.clip(min=1)


def _bpref(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    """C. Buckley and E. Voorhees, *Retrieval Evaluation with Incomplete Information*, SIGIR 2004; as trec_eval 9."""
    import numpy as np

    relevant = _relevant(judged, level)
    there, grade = judged[..., 0] >= 0, judged[..., 1]
    others = (there & (grade >= 0) & (grade < level)).sum(axis=1)
    grades = _retrieved_grades(judged, retrieved)
    above = np.cumsum((grades >= 0) & (grades < level), axis=1)
    bound = np.minimum(relevant, others)[:, None]
    credit = 1 - np.minimum(above, relevant[:, None]) / bound.clip(min=1)
    return np.where(grades >= level, credit, 0.0).sum(axis=1) / relevant.clip(min=1)


def _inferred_average_precision(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    """E. Yilmaz and J. Aslam, *Estimating Average Precision with Incomplete and Imperfect Judgments*, CIKM 2006."""
    import numpy as np

    epsilon = 1e-5  # trec_eval's
    grades = _retrieved_grades(judged, retrieved)
    hits, misses = grades >= level, (grades >= 0) & (grades < level)
    earlier_hits: np.ndarray = np.cumsum(hits, axis=1) - hits
    earlier_misses = np.cumsum(misses, axis=1)
    rank = np.arange(1, grades.shape[1] + 1)
    judged_above = earlier_hits + earlier_misses
    pooled_above = judged_above + np.cumsum(grades < 0, axis=1)  # a negative grade: in the pool, but not judged
    precision = (earlier_hits + epsilon) / (judged_above + 2 * epsilon)
    value = 1 / rank + pooled_above / rank * precision
    return np.where(hits, value, 0.0).sum(axis=1) / _relevant(judged, level).clip(min=1)


def _rank_biased_precision(
    persistence: float, judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int
) -> np.ndarray:
    """A. Moffat and J. Zobel, *Rank-Biased Precision for Measurement of Retrieval Effectiveness*, TOIS 27(1), 2008."""
    import numpy as np

    hits = _retrieved_grades(judged, retrieved)[:, : cutoff or None] >= level
    return (hits * (1 - persistence) * persistence ** np.arange(hits.shape[1])).sum(axis=1)


def _judged(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
    import numpy as np

    return (~np.isnan(_retrieved_grades(judged, retrieved)[:, :cutoff])).sum(axis=1) / cutoff


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
    "rprec": Metric(
        function=_r_precision,
        label="R-precision",
        description="precision at the number of relevant passages (trec_eval's Rprec)",
        needs_all_relevant=True,
        takes_cutoff=False,
    ),
    "bpref": Metric(
        function=_bpref,
        label="bpref",
        description="share of judged non-relevant passages ranked below the relevant ones; unjudged ones do not count",
        needs_all_relevant=True,
        takes_cutoff=False,
    ),
    "infap": Metric(
        function=_inferred_average_precision,
        label="infAP",
        description="average precision estimated from incomplete judgements",
        needs_all_relevant=True,
        takes_cutoff=False,
    ),
    "rbp-50": Metric(
        function=partial(_rank_biased_precision, 0.50),
        label="RBP-50",
        description="rank-biased precision of a reader who goes on to the next rank with probability 0.50",
    ),
    "rbp-80": Metric(
        function=partial(_rank_biased_precision, 0.80),
        label="RBP-80",
        description="rank-biased precision of a reader who goes on to the next rank with probability 0.80",
    ),
    "rbp-95": Metric(
        function=partial(_rank_biased_precision, 0.95),
        label="RBP-95",
        description="rank-biased precision of a reader who goes on to the next rank with probability 0.95",
    ),
    "judged": Metric(
        function=_judged,
        label="Judged",
        description="share of the ranks down to the cutoff that hold a judged passage",
        needs_cutoff=True,
        uses_grades=True,
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
    if not METRICS[name].takes_cutoff and match[2] is not None:
        raise InputError(f"{metric!r} is not a known metric: it has no cutoff.", hint=f"write {name}.")
    return name, int(match[2] or 0)


def largest_cutoff(metrics: Sequence[str]) -> int | None:
    """The largest cutoff of some metrics; None if one of them has no cutoff.

    Raises:
        InputError: an unknown metric.
    """
    cutoffs = [parse(metric)[1] for metric in metrics]
    return max(cutoffs) if all(cutoffs) else None
