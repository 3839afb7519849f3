"""A retriever as a reranker: the score of a query and a passage is the dot product of their vectors.

The class has the part of :class:`.cross_encoder.CrossEncoder`'s interface that scores pairs. It is trained as a
retriever, see :class:`.encoder.Encoder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.importing import large_packages
from ..settings import Backbone
from .encoder import Encoder

with large_packages():
    import torch


@dataclass(frozen=True)
class TwoTexts:
    """The token ids of a query and of a passage."""

    query: tuple[int, ...]
    passage: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.query) + len(self.passage)


class Similarity(torch.nn.Module):
    """Scores pairs by the vectors of an encoder, which reads the two texts apart."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    @classmethod
    def load(cls, folder: Path | str, backbone: Backbone) -> Similarity:
        """Load a model folder, see :meth:`.encoder.Encoder.load` and its errors."""
        return cls(Encoder.load(folder, backbone)).eval()

    def token_ids(self, queries: Sequence[str], passages: Sequence[str]) -> list[TwoTexts]:
        """The tokens of each query and of the passage at its place, after their prefixes, each cut to its length."""
        different = list(dict.fromkeys(queries))
        of_query = dict(zip(different, map(tuple, self.encoder.token_ids(different, "query")), strict=True))
        of_passages = self.encoder.token_ids(passages, "passage")
        return [TwoTexts(of_query[query], tuple(ids)) for query, ids in zip(queries, of_passages, strict=True)]

    def pad(self, pairs: Sequence[TwoTexts]) -> tuple[torch.Tensor, ...]:
        """Right-padded ids and attention mask of each different query, its place for each pair, and ids and mask of
        each passage; int64, on the CPU.
        """
        places: dict[tuple[int, ...], int] = {}
        of_pairs = torch.tensor([places.setdefault(pair.query, len(places)) for pair in pairs])
        return *self.encoder.pad(list(places)), of_pairs, *self.encoder.pad([pair.passage for pair in pairs])

    def forward(
        self,
        query_ids: torch.Tensor,
        query_mask: torch.Tensor,
        places: torch.Tensor,
        passage_ids: torch.Tensor,
        passage_mask: torch.Tensor,
    ) -> torch.Tensor:
        """Scores of shape (n, 1), fp32 at any precision of the transformer."""
        queries, passages = self.encoder(query_ids, query_mask), self.encoder(passage_ids, passage_mask)
        scores: torch.Tensor = (queries[places] * passages).sum(dim=1, keepdim=True)
        return scores
