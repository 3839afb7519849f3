"""TREC runs of others, as tables of our schema."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from utility_annotation.retrieval.runs import rank


def read_run(path: Path) -> pa.Table:
    """A run as a table of schema ``RUN``; as in trec_eval its scores decide the ranks, not its rank column."""
    rows = [line.split(None, 5) for line in path.read_text(encoding="utf-8").splitlines()]
    query_ids = list(dict.fromkeys(row[0] for row in rows))
    numbers = {query_id: number for number, query_id in enumerate(query_ids)}
    return rank(
        query_ids,
        np.array([numbers[row[0]] for row in rows], np.int64),
        pa.array([row[2] for row in rows], pa.string()),
        np.array([float(row[4]) for row in rows]),
        depth=len(rows),
    )
