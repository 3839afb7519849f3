"""Whether two runs differ: a paired t-test of per-query values, or a paired bootstrap of a figure that is no mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.schemas import PER_QUERY

STRATUM_END = "/"
"""In the per-query values of an average, a query's id is its test set, this, and its id there."""


def per_query_values(path: Path | str, metric: str) -> dict[str, float]:
    """One metric of a file of schema ``PER_QUERY``: query id to value.

    Raises:
        InputError: the file does not have this metric.
    """
    table = PER_QUERY.read(path)
    rows = table.filter(pc.equal(table["metric"], metric))
    if not rows.num_rows:
        known = ", ".join(pc.unique(table["metric"]).to_pylist())
        raise InputError(
            f"there is no metric {metric!r} (there are: {known or 'none'}).",
            hint="name it in the test set's metrics and evaluate again.",
            path=path,
        )
    return dict(zip(rows["query_id"].to_pylist(), rows["value"].to_pylist(), strict=True))


def paired_t_test(
    values: Mapping[str, float], baseline: Mapping[str, float], weights: Mapping[str, float] | None = None
) -> float:
    """Two-sided p-value of the paired t-test between two runs' values of one metric, queries aligned by id.

    On an average of test sets the mean difference is Σ w_k d̄_k over the test sets k, with variance Σ w_k² s_k² / n_k
    and Welch and Satterthwaite's degrees of freedom; for one test set that is the ordinary paired t-test.

    No difference in any query gives 1, where the t statistic itself is undefined; so does a test set of a single query.
    The same difference in every query of a test set gives 0.

    Args:
        values: query id to value.
        baseline: the same queries' values of the other run.
        weights: weight of each test set in an average, whose query ids begin with it; None for a single test set.

    Raises:
        InputError: the two do not have the same queries, or have none.
    """
    _check_same_queries(values, baseline)
    strata: dict[str, list[float]] = {}
    for query_id, value in values.items():
        stratum = query_id.partition(STRATUM_END)[0] if weights else ""
        strata.setdefault(stratum, []).append(value - baseline[query_id])
    differences = [(np.array(found), weights[name] if weights else 1.0) for name, found in strata.items()]
    if any(len(found) < 2 for found, _ in differences) or not any(found.any() for found, _ in differences):
        return 1.0
    mean = sum(weight * found.mean() for found, weight in differences)
    variances = [(weight**2 * found.var(ddof=1) / len(found), len(found)) for found, weight in differences]
    variance = sum(part for part, _ in variances)
    if not variance:
        return 0.0 if mean else 1.0
    freedom = variance**2 / sum(part**2 / (queries - 1) for part, queries in variances)
    from scipy.special import stdtr  # needed by few of those who read this module's other function

    return float(2 * stdtr(freedom, -abs(mean) / np.sqrt(variance)))  # scipy.stats has the same, and is large


RESAMPLES = 1000
_SEED = 12345


def paired_bootstrap(
    counts: Sequence[Mapping[str, float]],
    baseline: Sequence[Mapping[str, float]],
    figure: Callable[[np.ndarray], np.ndarray],
) -> float:
    """Two-sided p-value of the paired bootstrap between two runs' figures, queries aligned by id.

    P. Koehn, *Statistical Significance Tests for Machine Translation Evaluation*, EMNLP 2004, with the p-value of
    sacreBLEU: of :data:`RESAMPLES` draws of the queries with replacement, the share whose difference is further from
    the mean difference of the draws than the observed difference is from 0; one is added to both numbers.

    Args:
        counts: for each count, query id to value.
        baseline: the same counts of the other run.
        figure: takes summed counts, shape (..., counts), and returns the figures.

    Raises:
        InputError: the two do not have the same queries, or have none.
    """
    query_ids = list(counts[0])
    _check_same_queries(counts[0], baseline[0])
    ours, theirs = (
        np.array([[values[query_id] for values in run] for query_id in query_ids]) for run in (counts, baseline)
    )
    if np.array_equal(ours, theirs):
        return 1.0
    draw = np.random.default_rng(_SEED)
    sums = np.empty((2, RESAMPLES, len(counts)))
    for sample in range(RESAMPLES):
        times = np.bincount(draw.integers(len(query_ids), size=len(query_ids)), minlength=len(query_ids))
        sums[:, sample] = times @ ours, times @ theirs
    differences = figure(sums[0]) - figure(sums[1])
    observed = abs(figure(ours.sum(axis=0)) - figure(theirs.sum(axis=0)))
    beyond = np.count_nonzero(np.abs(differences - differences.mean()) > observed)
    return float((beyond + 1) / (RESAMPLES + 1))


def _check_same_queries(values: Mapping[str, float], baseline: Mapping[str, float]) -> None:
    if values.keys() != baseline.keys() or not values:
        odd = sorted(values.keys() ^ baseline.keys())
        raise InputError(
            f"two runs are to be compared whose queries differ (the first: {odd[0]!r})."
            if odd
            else "two runs are to be compared that have no queries.",
            hint="evaluate both runs on the same qrels.",
        )
