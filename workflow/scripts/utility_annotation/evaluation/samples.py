"""A figure of one retriever by question and by seed: what intervals and tests are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.schemas import PER_QUERY

Figure = Callable[[np.ndarray], np.ndarray]
"""Takes summed counts, shape (..., counts), and returns the figures."""

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


@dataclass(frozen=True)
class Sample:
    """Values by test set, in the order of the test sets' and the queries' ids.

    Attributes:
        query_ids: for each test set, its queries.
        counts: for each test set, values of shape (seeds, queries, counts). A mean over the queries has one count.
        weights: weight of each test set; 1 for a single one.
        figure: how a figure follows from sums over the queries, or None for their mean.
    """

    query_ids: tuple[tuple[str, ...], ...]
    counts: tuple[np.ndarray, ...]
    weights: tuple[float, ...]
    figure: Figure | None = None

    @classmethod
    def of(
        cls,
        seeds: Sequence[Sequence[Mapping[str, float]]],
        *,
        figure: Figure | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> Sample:
        """Align values by query.

        Args:
            seeds: for each seed and each count, query id to value.
            figure: as the attribute.
            weights: weight of each test set in an average, whose query ids begin with it; None for a single test set.

        Raises:
            InputError: there are no queries, or the seeds have different ones.
        """
        strata: dict[str, list[str]] = {}
        for query_id in sorted(seeds[0][0]):
            strata.setdefault(query_id.partition(STRATUM_END)[0] if weights else "", []).append(query_id)
        for values in seeds:
            check_same_queries(values[0], seeds[0][0])
        counts = [
            np.array([[[count[query_id] for count in values] for query_id in ids] for values in seeds], dtype=float)
            for ids in strata.values()
        ]
        shares = tuple(weights[name] if weights else 1.0 for name in strata)
        return cls(tuple(map(tuple, strata.values())), tuple(counts), shares, figure)

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len(self.counts[0])

    def figures(self) -> np.ndarray:
        """The figure of each seed, shape (seeds,)."""
        return self._weighted([self._figure(counts.sum(axis=1), counts.shape[1]) for counts in self.counts])

    def by_query(self) -> list[np.ndarray]:
        """For each test set, the mean over the seeds of each query's value; of a figure that is a mean."""
        return [counts[..., 0].mean(axis=0) for counts in self.counts]

    def resampled(self, stream: int) -> np.ndarray:
        """The figure over draws of the queries and of the seeds with replacement, shape (``RESAMPLES``,).

        Two samples of the same queries have the same draws of the queries. ``stream`` tells their draws of seeds apart.
        """
        drawn = []
        for place, counts in enumerate(self.counts):
            times = _draws_of_queries(counts.shape[1], place).astype(float)
            drawn.append(self._figure(times @ counts, counts.shape[1]))  # (seeds, RESAMPLES)
        picks = np.random.default_rng([_SEED, stream]).integers(self.seeds, size=(self.seeds, RESAMPLES))
        return np.take_along_axis(self._weighted(drawn), picks, axis=0).mean(axis=0)

    def _figure(self, sums: np.ndarray, queries: int) -> np.ndarray:
        return sums[..., 0] / queries if self.figure is None else self.figure(sums)

    def _weighted(self, by_testset: Sequence[np.ndarray]) -> np.ndarray:
        return np.tensordot(np.array(self.weights), np.stack(by_testset), axes=1)


RESAMPLES = 1000
_SEED = 12345


@cache
def _draws_of_queries(queries: int, place: int) -> np.ndarray:
    """How often each query is in each draw, shape (RESAMPLES, queries)."""
    draw = np.random.default_rng([_SEED, place] if place else _SEED)
    drawn = (draw.integers(queries, size=queries) for _ in range(RESAMPLES))
    return np.stack([np.bincount(each, minlength=queries) for each in drawn]).astype(np.uint8)


def check_same_queries(query_ids: Iterable[str], others: Iterable[str]) -> None:
    """Refuse to compare values of different queries, or of none.

    Raises:
        InputError: they are.
    """
    first, second = set(query_ids), set(others)
    if first != second or not first:
        odd = sorted(first ^ second)
        raise InputError(
            f"two runs are to be compared whose queries differ (the first: {odd[0]!r})."
            if odd
            else "two runs are to be compared that have no queries.",
            hint="evaluate both runs on the same qrels.",
        )
