"""The scores that a reranker, or a retriever in its place, gives the candidates of a pool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..common.errors import InputError
from ..common.progress import Progress
from ..io.schemas import POOL, SCORES, iter_rows, passage_text
from ..retrieval.reranking import PAIRS, score
from ..retrieval.scorers import PairScorer

_ROWS = 256

Row = tuple[str, str, str, str]
"""query id, docid, query, passage."""


def score_pool(model: PairScorer, pool: Path, output: Path, *, titles: bool, batch_tokens: int = 0) -> int:
    """Write the score of every candidate of a pool's shard; one block of texts is in memory at a time.

    Args:
        model: a reranker or a retriever, on its device.
        pool: a shard, of schema ``POOL``.
        output: file of schema ``SCORES`` to write, in the shard's order.
        titles: whether the titles of passages are read.
        batch_tokens: padded tokens per batch; 0 takes the device's default.

    Returns:
        The number of candidates.

    Raises:
        InputError: a score is not a number.
    """
    progress = Progress("scoring candidates", None, "candidates")
    with SCORES.writer(output) as writer:
        for block in _blocks(pool, titles):
            query_ids, docids, queries, passages = map(list, zip(*block, strict=True))
            scores = np.empty(len(block), np.float32)
            for rows, values in score(model, queries, passages, batch_tokens=batch_tokens):
                scores[rows] = values
                progress.add(len(rows))
            unfit = np.flatnonzero(~np.isfinite(scores))
            if len(unfit):
                raise InputError(
                    f"the score of query {query_ids[unfit[0]]!r} with passage {docids[unfit[0]]!r} is not a number.",
                    hint="check this model's training log: most often its loss diverged, and a lower learning rate or "
                    "fp32 helps.",
                )
            writer.write(SCORES.table({"query_id": query_ids, "docid": docids, "score": pa.array(scores)}))
    return progress.done


def _blocks(pool: Path, titles: bool) -> Iterator[list[Row]]:
    """Whole queries of so many pairs together, at least one query."""
    rows: list[Row] = []
    for row in iter_rows(POOL, [pool], _ROWS):
        for each in row["candidates"]:
            passage = passage_text(each["title"] if titles else None, each["text"])
            rows.append((row["query_id"], each["docid"], row["query"], passage))
        if len(rows) >= PAIRS:
            yield rows
            rows = []
    if rows:
        yield rows
