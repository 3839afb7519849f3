"""Keep the passages of a ranking that are of use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..common.files import read_json
from ..io.schemas import RUN
from ..labels.calibration import METHODS
from ..settings import entry


def select(run: Path, calibration: Path, *, method: str, threshold: float, depth: int) -> pa.Table:
    """The first ``depth`` passages of a run whose probability is at least ``threshold``.

    A higher score never has a lower probability, so a query keeps its first passages, with their ranks and scores.

    Args:
        run: schema ``RUN``, its scores those of the calibrated reranker down to ``depth``.
        calibration: a file of :func:`.reliability.calibrate`.
        method: one of :data:`..labels.calibration.METHODS`.

    Returns:
        A table of schema ``RUN``, without the queries of which nothing is kept.
    """
    chosen = entry(METHODS, method, "method of calibration")
    fitted = read_json(calibration, "methods")["methods"][method]["fitted"]
    table = RUN.read(run)
    probabilities = chosen.probabilities(fitted, table["score"].to_numpy())
    return table.filter(pa.array((table["rank"].to_numpy() <= depth) & (probabilities >= threshold)))


def keep(run: Path, kept: Callable[[str, list[str]], set[str]], *, depth: int) -> pa.Table:
    """The first ``depth`` passages of a run that a function keeps, ranked from 1 in their order, with their scores.

    Args:
        run: schema ``RUN``.
        kept: from a query id and its docids, best first, to those that are kept.
    """
    table = RUN.read(run)
    table = table.filter(pa.array(table["rank"].to_numpy() <= depth))
    table = table.sort_by([("query_id", "ascending"), ("rank", "ascending")])
    rows: dict[str, list[str]] = {}
    for query_id, docid in zip(table["query_id"].to_pylist(), table["docid"].to_pylist(), strict=True):
        rows.setdefault(query_id, []).append(docid)
    mask, ranks = [], []
    for query_id, docids in rows.items():
        chosen = kept(query_id, docids)
        own = [docid in chosen for docid in docids]
        mask += own
        ranks += np.cumsum(own).tolist()
    table = table.set_column(table.schema.get_field_index("rank"), "rank", pa.array(ranks, pa.int32()))
    return RUN.table(dict(zip(table.column_names, table.filter(pa.array(mask, pa.bool_())).columns, strict=True)))


def counts(run: Path, selected: pa.Table, depth: int) -> dict[str, Any]:
    """What a selection kept, ready for JSON: queries, passages looked at and kept, queries of which none is left."""
    table = RUN.read(run, ["query_id", "rank"])
    queries = len(table["query_id"].unique())
    return {
        "queries": queries,
        "passages": int((table["rank"].to_numpy() <= depth).sum()),
        "kept": selected.num_rows,
        "empty": queries - len(selected["query_id"].unique()),
    }
