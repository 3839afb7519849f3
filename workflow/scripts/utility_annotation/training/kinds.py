"""What can be trained: an entry for each kind of model, by the name of the class of its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import rerankers
from .batches import Batch, pairs, queries_and_passages
from .cross_encoder import CrossEncoder
from .data import Candidates
from .encoder import Encoder
from .sampling import Draw

Model = Encoder | CrossEncoder


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        load: from a model folder, the settings, and the seed of layers that the folder lacks.
        batch: lays out the passages drawn for some queries.
        negatives: which passages a query's positives are compared with, for the training's record.
    """

    load: Callable[[Path, Any, int], Model]
    batch: Callable[[Sequence[Candidates], Sequence[Draw]], Batch]
    negatives: str


KINDS: dict[str, Kind] = {
    "Backbone": Kind(
        load=lambda folder, backbone, seed: Encoder.load(folder, backbone),
        batch=queries_and_passages,
        negatives="own and in-batch, over all processes; another query's passage that is positive or ignored is masked",
    ),
    "Reranker": Kind(load=rerankers.load, batch=pairs, negatives="own"),
}
"""A retriever from a backbone, and a reranker."""
