"""A metric of rankings of candidate pools, for the evaluations of a training that runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..io.schemas import QRELS
from ..retrieval.runs import rank
from ..training.dev import JudgedPools, Mean
from .metrics import evaluate


def mean(pools: JudgedPools, scores: npt.NDArray[np.float32], metric: str) -> float:
    """The mean of a metric over the questions, as runs are evaluated by labels alone: positives have grade 1."""
    positives = pa.array(pools.positive)
    query_ids = pa.array(pools.query_ids, pa.string()).take(pa.array(pools.query_rows[pools.positive]))
    grades = np.ones(len(query_ids), np.int32)
    qrels = QRELS.table({"query_id": query_ids, "docid": pools.docids.filter(positives), "grade": grades})
    run = rank(pools.query_ids, pools.query_rows, pools.docids, scores, depth=len(scores))
    return evaluate(qrels, run, [metric]).means()[metric]


MEANS: dict[str, Mean] = {"dev": mean}
"""A table, so that the model of a training without ``dev`` does not rest on this code."""
