"""Two-sided paired t-test between the per-query values of two runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from ..contracts import PER_QUERY
from ..errors import InputError


def per_query_values(path: Path | str, metric: str) -> dict[str, float]:
    """One metric of a file of contract ``PER_QUERY``: query id to value.

    Raises:
        InputError: the file does not have this metric.
    """
    table = PER_QUERY.read(path)
    rows = table.filter(pc.equal(table["metric"], metric))
    if not rows.num_rows:
        known = ", ".join(pc.unique(table["metric"]).to_pylist())
        raise InputError(
            f"there is no metric {metric!r} (there are: {known or 'none'}).",
            mend="name it in the test set's metrics and evaluate again.",
            path=path,
        )
    return dict(zip(rows["query_id"].to_pylist(), rows["value"].to_pylist(), strict=True))


def paired_t_test(values: Mapping[str, float], baseline: Mapping[str, float]) -> float:
    """Two-sided p-value of the paired t-test between two runs' values of one metric, queries aligned by id.

    No difference in any query gives 1, where the t statistic itself is undefined; so does a single query. The same
    difference in every query gives 0.

    Raises:
        InputError: the two do not have the same queries, or have none.
    """
    if values.keys() != baseline.keys() or not values:
        odd = sorted(values.keys() ^ baseline.keys())
        raise InputError(
            f"two runs are to be compared whose queries differ (the first: {odd[0]!r})."
            if odd
            else "two runs are to be compared that have no queries.",
            mend="evaluate both runs on the same qrels.",
        )
    differences = np.array([values[query_id] - baseline[query_id] for query_id in values])
    if len(differences) < 2 or not differences.any():
        return 1.0
    from scipy import stats  # 2 s to import, and needed by few of those who read this module's other function

    with np.errstate(divide="ignore"):
        return float(stats.ttest_1samp(differences, 0.0).pvalue)
