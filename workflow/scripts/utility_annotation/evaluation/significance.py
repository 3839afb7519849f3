"""Two-sided paired t-test between the per-query values of two runs; on an average of test sets, a stratified one."""

from __future__ import annotations

from collections.abc import Mapping
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
    if values.keys() != baseline.keys() or not values:
        odd = sorted(values.keys() ^ baseline.keys())
        raise InputError(
            f"two runs are to be compared whose queries differ (the first: {odd[0]!r})."
            if odd
            else "two runs are to be compared that have no queries.",
            hint="evaluate both runs on the same qrels.",
        )
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
