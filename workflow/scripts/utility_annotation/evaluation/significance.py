"""How sure a figure is, and whether two differ: bootstrap intervals, a paired t-test, and Holm's correction."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

import numpy as np

from .samples import RESAMPLES, Sample, check_same_queries

_INTERVAL = (0.025, 0.975)
_POWER = 0.8


class Comparison(NamedTuple):
    """A figure less that of a baseline, from 0 to 1.

    Attributes:
        gain: the difference of the means over seeds.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: two-sided.
        detectable: the smallest difference that such a test shows at the 5 % level in 80 % of the cases.
    """

    gain: float
    low: float
    high: float
    p_value: float
    detectable: float


def interval(sample: Sample) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a figure, over the queries and, where there are several, the seeds.

    B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13. An average's queries are drawn
    within each test set.
    """
    low, high = np.quantile(sample.resampled(0), _INTERVAL)
    return float(low), float(high)


def compare(sample: Sample, baseline: Sample) -> Comparison:
    """Compare two figures of the same queries, query by query.

    The interval is that of :func:`interval`, with the same draws of queries for both. The p-value is that of
    :func:`_t_test`, or of :func:`_bootstrap_test` for a figure that is no mean over queries.

    Raises:
        InputError: the two do not have the same queries.
    """
    check_same_queries(chain(*sample.query_ids), chain(*baseline.query_ids))
    gain = float(sample.figures().mean() - baseline.figures().mean())
    draws = sample.resampled(0) - baseline.resampled(1)
    low, high = np.quantile(draws, _INTERVAL)
    p_value, detectable = (_t_test if sample.figure is None else _bootstrap_test)(sample, baseline, gain, draws)
    return Comparison(gain, float(low), float(high), p_value, detectable)


def _t_test(sample: Sample, baseline: Sample, gain: float, _: np.ndarray) -> tuple[float, float]:
    """The p-value of the paired t-test over the queries, and the detectable difference.

    On an average of test sets the mean difference is Σ w_k d̄_k over the test sets k, with variance Σ w_k² s_k² / n_k
    and Welch and Satterthwaite's degrees of freedom. For one test set that is the ordinary paired t-test. A retriever
    of several seeds adds the variance of its seeds' figures over their number, so that a difference holds for other
    seeds too.

    No difference in any query gives 1, where the t statistic itself is undefined; so does a test set of a single query.
    The same difference in every query of a test set gives 0.
    """
    differences = [ours - theirs for ours, theirs in zip(sample.by_query(), baseline.by_query(), strict=True)]
    if any(len(found) < 2 for found in differences):
        return 1.0, float("nan")
    variances = [
        (weight**2 * found.var(ddof=1) / len(found), len(found) - 1)
        for found, weight in zip(differences, sample.weights, strict=True)
    ]
    variances += [
        (each.figures().var(ddof=1) / each.seeds, each.seeds - 1) for each in (sample, baseline) if each.seeds > 1
    ]
    variance = sum(part for part, _ in variances)
    if not variance:
        return 0.0 if any(found.any() for found in differences) and gain else 1.0, 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in variances)
    from scipy.special import stdtr, stdtrit  # scipy.stats has the same, and is large

    error = float(np.sqrt(variance))
    detectable = float(stdtrit(freedom, _INTERVAL[1]) + stdtrit(freedom, _POWER)) * error
    return float(2 * stdtr(freedom, -abs(gain) / error)), detectable


def _bootstrap_test(sample: Sample, baseline: Sample, gain: float, draws: np.ndarray) -> tuple[float, float]:
    """The p-value of the paired bootstrap, and the detectable difference by the normal approximation.

    P. Koehn, *Statistical Significance Tests for Machine Translation Evaluation*, EMNLP 2004, with the p-value of
    sacreBLEU: the share of the draws whose difference is further from the mean difference of the draws than the
    observed difference is from 0; one is added to both numbers.
    """
    if all(np.array_equal(ours, theirs) for ours, theirs in zip(sample.counts, baseline.counts, strict=True)):
        return 1.0, 0.0
    from scipy.special import ndtri

    beyond = np.count_nonzero(np.abs(draws - draws.mean()) > abs(gain))
    return float((beyond + 1) / (RESAMPLES + 1)), float((ndtri(_INTERVAL[1]) + ndtri(_POWER)) * draws.std())


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values of a family of tests after Holm's step-down correction.

    S. Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, 1979. A family is shape (tests,).
    """
    order = np.argsort(p_values)
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return corrected
