"""The positives and negatives of each query of a batch, over all devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .data import Candidates
from .sampling import Draw


@dataclass(frozen=True)
class Batch:
    """The distinct passages of a batch of Q queries, and their roles for each query.

    Attributes:
        passages: P pairs (query, candidate): the query whose candidates hold the passage's text, and its place there.
        positives: boolean (Q, P): the positives drawn for the query itself.
        negatives: boolean (Q, P): all passages drawn for any query that the query's draw does not protect.
        labels: fp32 (Q, P): the label at ``positives``, 0 elsewhere (soft labels: the answer log-likelihoods).
    """

    passages: list[tuple[int, int]]
    positives: Tensor
    negatives: Tensor
    labels: Tensor


def assemble(candidates: Sequence[Candidates], draws: Sequence[Draw]) -> Batch:
    """Lay out the passages drawn for the queries of one batch.

    A passage drawn for several queries is there once, so that it is encoded once and counts once in each softmax. A
    labelled positive of a query is never its negative, even if it was drawn for another query.
    """
    columns: dict[str, int] = {}
    passages: list[tuple[int, int]] = []
    for query, (pool, drawn) in enumerate(zip(candidates, draws, strict=True)):
        for candidate in (*drawn.positives, *drawn.negatives):
            if pool.docids[candidate] not in columns:
                columns[pool.docids[candidate]] = len(passages)
                passages.append((query, candidate))
    shape = (len(candidates), len(passages))
    positives, negatives = torch.zeros(shape, dtype=torch.bool), torch.ones(shape, dtype=torch.bool)
    labels = torch.zeros(shape)
    for query, (pool, drawn) in enumerate(zip(candidates, draws, strict=True)):
        for candidate in drawn.positives:
            column = columns[pool.docids[candidate]]
            positives[query, column] = True
            labels[query, column] = float(pool.labels[candidate])
        negatives[query, [columns[docid] for index in drawn.protected if (docid := pool.docids[index]) in columns]] = (
            False
        )
    return Batch(passages, positives, negatives, labels)
