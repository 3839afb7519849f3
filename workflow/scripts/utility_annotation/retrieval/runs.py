"""The ranking that every run of this workflow shares, equal to trec_eval's, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..contracts import RUN
from ..progress import waiting


def rank(
    query_ids: Sequence[str],
    query_rows: np.ndarray,
    docids: pa.Array,
    scores: np.ndarray,
    *,
    depth: int,
    drop_query_document: bool = False,
) -> pa.Table:
    """Rank scored passages into a table of contract ``RUN``.

    Queries come in the order of ``query_ids``, a query's passages by score descending, ties by docid descending. As in
    trec_eval, scores are compared in single precision, and it is these that the table holds.

    Args:
        query_ids: the id of each query.
        query_rows: the query of each hit, as a position in ``query_ids``; shape (hits,).
        docids: the passage of each hit; shape (hits,).
        scores: the score of each hit; shape (hits,).
        depth: passages kept a query.
        drop_query_document: whether a passage whose docid is the query's own id is dropped first.
    """
    hits = pa.table(
        {
            "query_row": np.asarray(query_rows, dtype=np.int64),
            "docid": docids,
            "score": np.asarray(scores, dtype=np.float32),
        }
    )
    if drop_query_document:
        own = pc.equal(hits["docid"], pa.array(query_ids, pa.string()).take(hits["query_row"]))
        hits = hits.filter(pc.invert(own))
    with waiting(f"ranking {hits.num_rows:,} passages"):
        hits = hits.sort_by([("query_row", "ascending"), ("score", "descending"), ("docid", "descending")])
    rows = hits["query_row"].to_numpy()
    ranks = np.arange(len(rows)) - np.searchsorted(rows, rows) + 1
    table = RUN.table(
        {
            "query_id": pa.array(query_ids, pa.string()).take(hits["query_row"]),
            "docid": hits["docid"],
            "rank": ranks.astype(np.int32),
            "score": hits["score"].cast(pa.float64()),
        }
    )
    return table.filter(pa.array(ranks <= depth))


def read_rankings(run: Path, depth: int | None = None) -> dict[str, list[str]]:
    """Each query's docids in a file of contract ``RUN``, best first, down to rank ``depth`` if one is given."""
    table = RUN.read(run, ["query_id", "docid", "rank"])
    if depth is not None:
        table = table.filter(pc.less_equal(table["rank"], depth))
    with waiting(f"reading the rankings of {run}"):
        table = table.sort_by("rank")
        rankings: dict[str, list[str]] = {}
        for query_id, docid in zip(table["query_id"].to_pylist(), table["docid"].to_pylist(), strict=True):
            rankings.setdefault(query_id, []).append(docid)
    return rankings
