"""Retrieval metrics, computed by ranx and equal to trec_eval's: ties, relevance levels, missing and unjudged queries.

ranx gets integer arrays instead of its dictionaries of strings. The same functions compute the same figures, but a run
of 7 million rows takes seconds, and a small run does not wait until ranx's dictionaries are compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.progress import waiting
from ..io.schemas import PER_QUERY
from .metric_names import METRICS, parse

_UNJUDGED = -1.0


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a run.

    Attributes:
        query_ids: every judged query, in the order of the qrels.
        values: by metric, one value per query; shape (queries,).
        missing: number of judged queries without a row in the run; they score 0.
    """

    query_ids: list[str]
    values: dict[str, np.ndarray]
    missing: int

    def means(self) -> dict[str, float]:
        """By metric, the mean over all judged queries (trec_eval's -c)."""
        return {metric: float(values.mean()) for metric, values in self.values.items()}

    def per_query(self) -> pa.Table:
        """A table of schema ``PER_QUERY``."""
        return PER_QUERY.table(
            {
                "query_id": self.query_ids * len(self.values),
                "metric": np.repeat(list(self.values), len(self.query_ids)).tolist(),
                "value": np.concatenate(list(self.values.values())),
            }
        )


def evaluate(qrels: pa.Table, run: pa.Table, metrics: Sequence[str], *, relevance_level: int = 1) -> Evaluation:
    """Evaluate a run against judgements.

    Args:
        qrels: table of schema ``QRELS``. A passage with a negative grade is not relevant; for bpref and infAP it
            is not judged.
        run: table of schema ``RUN``; its ranks decide. Queries without a judgement are ignored.
        metrics: names like ``mrr@10``, as :func:`.metric_names.parse` reads them.
        relevance_level: smallest grade that counts as relevant; metrics that use every grade ignore it.

    Raises:
        InputError: an unknown metric, no judgement at all, or ranks of a query that are not 1, 2, 3, …
    """
    parsed = {metric: parse(metric) for metric in metrics}
    if not qrels.num_rows:
        raise InputError("there are no judgements.", hint="give qrels with at least one row.")
    query_ids = pc.unique(qrels["query_id"])
    judged_docids = pc.unique(qrels["docid"])

    def keys(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Per row the query's position, and a number for the pair of query and passage."""
        query_rows = pc.index_in(table["query_id"], value_set=query_ids).to_numpy().astype(np.int64)
        columns = pc.fill_null(pc.index_in(table["docid"], value_set=judged_docids), -1).to_numpy().astype(np.int64)
        return query_rows, np.where(columns < 0, -1, query_rows * len(judged_docids) + columns)

    qrels_rows, qrels_keys = keys(qrels)
    run = run.filter(pc.is_in(run["query_id"], value_set=query_ids))
    run_rows, run_keys = keys(run)
    ranks = run["rank"].to_numpy()
    _check_ranks(run_rows, ranks, query_ids)
    depth = max([ranks.max(initial=1), *(cutoff for _, cutoff in parsed.values())])

    judged = np.full((len(query_ids), np.bincount(qrels_rows).max(), 2), (_UNJUDGED, 0.0))
    grades = qrels["grade"].to_numpy()
    best_first = np.lexsort((-grades, qrels_rows))
    places = np.arange(len(best_first)) - np.searchsorted(qrels_rows[best_first], qrels_rows[best_first])
    judged[qrels_rows[best_first], places] = np.stack([qrels_keys, grades], axis=1)[best_first]

    retrieved = np.full((len(query_ids), depth, 2), (_UNJUDGED, 0.0))
    retrieved[run_rows, ranks - 1, 0] = run_keys

    with waiting(f"computing {', '.join(metrics)} of {len(query_ids):,} queries"):
        values = {
            metric: METRICS[name].function(
                judged, retrieved, cutoff, 1 if METRICS[name].uses_grades else relevance_level
            )
            for metric, (name, cutoff) in parsed.items()
        }
    return Evaluation(
        query_ids=query_ids.to_pylist(),
        values=values,
        missing=len(query_ids) - len(np.unique(run_rows)),
    )


def _check_ranks(query_rows: np.ndarray, ranks: np.ndarray, query_ids: pa.Array) -> None:
    order = np.lexsort((ranks, query_rows))
    expected = np.arange(len(order)) - np.searchsorted(query_rows[order], query_rows[order]) + 1
    wrong = np.flatnonzero(ranks[order] != expected)
    if len(wrong):
        query_id = query_ids[int(query_rows[order[wrong[0]]])].as_py()
        raise InputError(
            f"the ranks of query {query_id!r} in the run are not 1, 2, 3 and so on.",
            hint="write the run again; this stage orders by rank alone.",
        )
