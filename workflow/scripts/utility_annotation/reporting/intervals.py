"""The 95 % intervals of figures in tables and charts, over questions and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from ..common.importing import large_packages
from ..evaluation.answer_metrics import ANSWER_METRICS, Pooled
from ..evaluation.answer_work import WORK
from ..evaluation.samples import Sample, per_query_values
from ..evaluation.significance import interval
from .metrics import KEY

with large_packages():
    import pandas as pd

Key = tuple[str, str, str, str]


def key_of(cell: Any) -> Key:
    """What names a figure: backbone, training, column and metric of a cell."""
    return cell.backbone, cell.training, cell.column, cell.metric


def pooled(metric: str) -> Pooled | None:
    """How a metric follows from sums over questions, if it is no mean over them."""
    return ANSWER_METRICS[metric].pooled if metric in ANSWER_METRICS else None


def samples_of(cells: pd.DataFrame) -> dict[Key, Sample]:
    """By the key of each figure that was computed, its values by question and seed."""
    values = cache(per_query_values)
    found = {}
    measured = cells[~cells["metric"].isin(WORK)]
    for cell in measured.dropna(subset=["value"]).drop_duplicates(KEY).itertuples():
        sums = pooled(cell.metric)
        counts = sums.counts if sums else (cell.metric,)
        seeds = [[values(file, count) for count in counts] for file in cell.per_query]
        weights = cell.weights if isinstance(cell.weights, dict) else None
        found[key_of(cell)] = Sample.of(seeds, figure=sums.figure if sums else None, weights=weights)
    return found


def with_intervals(cells: pd.DataFrame, samples: Mapping[Key, Sample] | None = None) -> pd.DataFrame:
    """Cells of :func:`.metrics.read_metrics` with ``low`` and ``high``, the ends of each figure's interval in percent.

    Args:
        cells: the cells.
        samples: those of :func:`samples_of`, if they are known.
    """
    samples = samples_of(cells) if samples is None else samples
    ends = [
        interval(samples[key]) if (key := key_of(cell)) in samples else (np.nan, np.nan) for cell in cells.itertuples()
    ]
    low, high = 100 * np.array(ends, float).reshape(-1, 2).T
    return cells.assign(low=low, high=high)
