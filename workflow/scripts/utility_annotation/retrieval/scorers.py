"""What gives a query with a passage a score: an entry for each kind of model, by the class of its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import torch

from ..settings import Backbone, Reranker
from ..training import rerankers
from ..training.similarity import Similarity


class PairScorer(Protocol):
    """A model that scores pairs; how it lays out their tokens is its own affair."""

    def token_ids(self, queries: Sequence[str], passages: Sequence[str]) -> Sequence[Any]:
        """The tokens of each query with the passage at its place; the length of each is its cost."""

    def pad(self, pairs: Sequence[Any]) -> tuple[torch.Tensor, ...]:
        """The inputs of one call."""

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Scores of shape (n, 1), fp32."""

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Its weights."""

    def to(self, device: torch.device) -> Self:
        """The model on a device."""


SCORERS: dict[str, Callable[[Path, Any], PairScorer]] = {"Backbone": Similarity.load, "Reranker": rerankers.load}
"""From a model folder and its settings."""


def load(folder: Path, settings: Backbone | Reranker) -> PairScorer:
    """The model of a folder as one that scores pairs."""
    return SCORERS[type(settings).__name__](folder, settings)
