"""How a reranker gives a score: an entry for each way, by the name in ``rerankers.*.score``.

The module imports no torch until a model is loaded, so that checking a configuration does not need it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import Reranker, entry

if TYPE_CHECKING:
    from .cross_encoder import CrossEncoder


def _layer(folder: Path, reranker: Reranker, seed: int | None) -> CrossEncoder:
    from .cross_encoder import CrossEncoder

    return CrossEncoder.load(folder, reranker, seed)


def _yes_no(folder: Path, reranker: Reranker, seed: int | None) -> CrossEncoder:
    from .yes_no import YesNoDecoder

    return YesNoDecoder.load(folder, reranker, seed)


logger = logging.getLogger(__name__)

FEW_STEPS = 200
"""A training of a new layer with fewer steps is warned of. 72 steps are measured to make rankings worse
(benchmarks/README.md, Rerankers and selectors). How many are enough is not measured.
"""


@dataclass(frozen=True)
class Score:
    """A way to score.

    Attributes:
        load: from a model folder, the settings, and the seed of layers that the folder lacks; None where it must have
            all.
        description: for the reference of the configuration.
        settings: the keys of ``rerankers`` that it alone reads.
    """

    load: Callable[[Path, Reranker, int | None], CrossEncoder]
    description: str
    settings: tuple[str, ...] = ()


SCORES: dict[str, Score] = {
    "layer": Score(load=_layer, description="a layer of the model's own, which a training makes where it lacks"),
    "yes-no": Score(
        load=_yes_no,
        description="the log odds with which a decoder goes on with yes against no (Qwen3-Reranker), untrained too",
        settings=("passage_suffix", "yes_token", "no_token"),
    ),
}
"""By the name in ``rerankers.*.score``."""


def warn_of_few_steps(new_layers: Sequence[str], steps: int) -> None:
    """Say in the log that a layer for the score is new, where the training has too few steps to rely on."""
    if new_layers and steps < FEW_STEPS:
        logger.warning(
            "the layer for the score is new (%s), and %d steps are few to train it: the reranker may make rankings "
            "worse; compare it with its first stage, or start from a model that is a cross-encoder already",
            ", ".join(new_layers),
            steps,
        )


def load(folder: Path, reranker: Reranker, seed: int | None = None) -> CrossEncoder:
    """The reranker of a model folder, see the class of its way to score."""
    return entry(SCORES, reranker.score, "way to score").load(folder, reranker, seed)
