"""The texts of a batch, over all devices, and what each passage is to each query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from .data import Candidates, TrainingData
from .sampling import Draw

if TYPE_CHECKING:
    from .cross_encoder import CrossEncoder, Pair
    from .encoder import Encoder


class Batch(Protocol):
    """A batch of Q queries, as a training and an evaluation need it. P is the greatest number of a query's passages.

    Attributes:
        texts: how many texts go through the model.
        positives: boolean (Q, P): the positives drawn for the query itself.
        negatives: boolean (Q, P): what else its loss compares them with.
        labels: fp32 (Q, P): the label at ``positives``, 0 elsewhere (soft labels: the answer log-likelihoods).
        columns: for each query, the columns of its own drawn positives and negatives, in the order of the draw.
    """

    @property
    def texts(self) -> int: ...
    @property
    def positives(self) -> Tensor: ...
    @property
    def negatives(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...
    @property
    def columns(self) -> list[list[int]]: ...

    def token_ids(self, model: Any, data: TrainingData, queries: Sequence[int], share: Sequence[int]) -> list[Any]:
        """The tokens of some texts; ``queries`` are the places of the batch's queries in the data."""

    def scores(self, vectors: Tensor) -> Tensor:
        """The scores (Q, P) from the model's vectors of all texts (texts, dimension)."""


@dataclass(frozen=True)
class QueriesAndPassages:
    """See :class:`Batch`: the queries, then each distinct passage of any of them, which is a passage of all.

    Attributes:
        passages: P pairs (query, candidate): the query whose candidates hold the passage's text, and its place there.
    """

    passages: list[tuple[int, int]]
    positives: Tensor
    negatives: Tensor
    labels: Tensor
    columns: list[list[int]]

    @property
    def texts(self) -> int:
        """Queries and passages."""
        return len(self.positives) + len(self.passages)

    def token_ids(
        self, model: Encoder, data: TrainingData, queries: Sequence[int], share: Sequence[int]
    ) -> list[list[int]]:
        """See :class:`Batch`."""
        own = [self.passages[text - len(queries)] for text in share if text >= len(queries)]
        passages = [data.passage(queries[query], candidate) for query, candidate in own]
        texts = [data.query(queries[text]) for text in share if text < len(queries)]
        return model.token_ids(texts, "query") + model.token_ids(passages, "passage")

    def scores(self, vectors: Tensor) -> Tensor:
        """Inner products."""
        queries = len(self.positives)
        return vectors[:queries] @ vectors[queries:].T


def queries_and_passages(candidates: Sequence[Candidates], draws: Sequence[Draw]) -> QueriesAndPassages:
    """Lay out the passages drawn for the queries of one batch.

    A passage drawn for several queries is there once, so that it is encoded once and counts once in each softmax. A
    labelled positive of a query is never its negative, even if it was drawn for another query. Nor is what is ignored
    for it.
    """
    columns: dict[str, int] = {}
    passages: list[tuple[int, int]] = []
    own: list[list[int]] = []
    for query, (pool, drawn) in enumerate(zip(candidates, draws, strict=True)):
        own.append([])
        for candidate in (*drawn.positives, *drawn.negatives):
            if pool.docids[candidate] not in columns:
                columns[pool.docids[candidate]] = len(passages)
                passages.append((query, candidate))
            own[-1].append(columns[pool.docids[candidate]])
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
    return QueriesAndPassages(passages, positives, negatives, labels, own)


@dataclass(frozen=True)
class Pairs:
    """See :class:`Batch`: each query with each of its own drawn passages. The columns of a query are its draw.

    Attributes:
        pairs: (query, candidate).
    """

    pairs: list[tuple[int, int]]
    positives: Tensor
    negatives: Tensor
    labels: Tensor
    columns: list[list[int]]

    @property
    def texts(self) -> int:
        """Pairs."""
        return len(self.pairs)

    def token_ids(
        self, model: CrossEncoder, data: TrainingData, queries: Sequence[int], share: Sequence[int]
    ) -> list[Pair]:
        """See :class:`Batch`."""
        own = [(queries[query], candidate) for query, candidate in (self.pairs[text] for text in share)]
        return model.token_ids(
            [data.query(query) for query, _ in own], [data.passage(query, candidate) for query, candidate in own]
        )

    def scores(self, vectors: Tensor) -> Tensor:
        """Each pair's score in its query's row."""
        scores = torch.zeros(self.positives.shape, device=vectors.device, dtype=vectors.dtype)
        places = [(query, column) for query, columns in enumerate(self.columns) for column in columns]
        rows, columns = torch.tensor(places, device=vectors.device).view(-1, 2).T
        return scores.index_put((rows, columns), vectors[:, 0])


def pairs(candidates: Sequence[Candidates], draws: Sequence[Draw]) -> Pairs:
    """Lay out the pairs of one batch. Another query's passage is not among a query's negatives: it has no score."""
    columns = [list(range(len(drawn.positives) + len(drawn.negatives))) for drawn in draws]
    shape = (len(candidates), max(map(len, columns)))
    positives, negatives, labels = torch.zeros(shape).bool(), torch.zeros(shape).bool(), torch.zeros(shape)
    for query, (pool, drawn) in enumerate(zip(candidates, draws, strict=True)):
        first = len(drawn.positives)
        positives[query, :first] = True
        negatives[query, first : len(columns[query])] = True
        labels[query, :first] = torch.from_numpy(pool.labels[list(drawn.positives)].copy())
    drawn_pairs = [(query, each) for query, drawn in enumerate(draws) for each in (*drawn.positives, *drawn.negatives)]
    return Pairs(drawn_pairs, positives, negatives, labels, columns)
