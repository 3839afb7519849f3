"""Which passages of a query's pool are drawn in an epoch.

A draw depends on the seed, the epoch and the query id alone: not on the device, the number of devices, or the order in
which queries come.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..io.label_values import is_negative, is_positive
from ..settings import Training
from .losses import LOSSES

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Draw:
    """Indices into a query's candidates.

    Attributes:
        positives: drawn as positives; for soft labels, all drawn passages.
        negatives: drawn as negatives.
        protected: candidates that must never be a negative of this query, drawn or not: its labelled positives, the
            ignored ones, and the human ones where they are excluded.
    """

    positives: tuple[int, ...]
    negatives: tuple[int, ...]
    protected: tuple[int, ...]


def positive_mask(labels: Floats, human: Booleans, training: Training) -> Booleans:
    """Which candidates may be drawn as positives; elementwise, so one query's candidates or all queries' in a row.

    With ``exclusion`` no human positive, with ``inclusion`` every human positive, whatever its label: humans settle an
    LLM's doubt, so that one which is ignored is a positive too. A loss of a human positive knows no others. For soft
    labels every candidate that is not excluded has a share in the target distribution.
    """
    loss = LOSSES[training.loss]
    positive = np.ones_like(human) if loss.soft_labels else is_positive(labels)
    if training.human_positive == "inclusion":
        positive = positive | human
    if loss.positives == "human":
        positive = positive & human
    return positive & ~human if training.human_positive == "exclusion" else positive


def negative_mask(labels: Floats, human: Booleans, training: Training) -> Booleans:
    """Which candidates may be drawn as negatives: those labelled so.

    Human positives are not among them if they are excluded or included.
    """
    if LOSSES[training.loss].soft_labels:
        return np.zeros_like(human)
    negative = is_negative(labels)
    return negative if training.human_positive == "random" else negative & ~human


def average_positives(counts: npt.NDArray[np.int64]) -> int:
    """``pos-avg``: the mean number of positives of the queries that have one, rounded half up, at least one."""
    counts = counts[counts > 0]
    return max(1, int(counts.mean() + 0.5)) if len(counts) else 1


def draw(
    query_id: str, labels: Floats, human: Booleans, ranks: Integers, training: Training, *, epoch: int, average: int
) -> Draw:
    """Draw ``training.train_group_size`` candidates of one query, or as many as there are.

    A loss of a single positive draws one; if it is the first one, the one of lowest rank, or, where none is on a list,
    the first of the pool. The other losses draw ``average`` (``pos-avg``) or all (``pos-all``), and leave at least one
    place to a negative. ``pos-one`` draws one positive and fills up with any other candidates, of which positives count
    as positives (paper, appendix B.2). With ``inclusion`` human positives come first.

    Args:
        query_id: the query.
        labels: label of each candidate.
        human: whether each candidate is a human positive.
        ranks: place of each candidate in the labels' own list; 0 where it is on none.
        training: loss, sampling, number of passages, seed.
        epoch: counted from 0.
        average: the corpus-wide figure of :func:`average_positives`.
    """
    generator = random.Random(f"{training.seed} {epoch} {query_id}")
    positive, negative = positive_mask(labels, human, training), negative_mask(labels, human, training)
    first = _indices(positive & human) if training.human_positive == "inclusion" else []
    others = [index for index in _indices(positive) if index not in first]
    loss = LOSSES[training.loss]
    negatives: list[int] | None = None
    if loss.soft_labels:
        positives = _sample(generator, first, others, training.train_group_size)
    elif loss.positives == "first":
        listed = sorted(first or others, key=lambda index: (ranks[index] == 0, ranks[index]))
        positives = listed[:1]
    elif loss.positives == "several" and training.positives == "pos-one":
        positives = _sample(generator, first, others, 1)
        rest = [index for index in _indices(positive | negative) if index not in positives]
        beside = _sample(generator, [], rest, training.train_group_size - len(positives))
        positives += [index for index in beside if positive[index]]
        negatives = [index for index in beside if index not in positives]
    else:
        wanted = {"pos-one": 1, "pos-avg": average, "pos-all": len(labels)}[training.positives]
        wanted = wanted if loss.positives == "several" else 1
        positives = _sample(generator, first, others, min(wanted, training.train_group_size - 1))
    if negatives is None:
        negatives = _sample(generator, [], _indices(negative), training.train_group_size - len(positives))
    return Draw(tuple(positives), tuple(negatives), tuple(_indices(~negative)))


def epoch_order(queries: int, training: Training, epoch: int) -> list[int]:
    """A permutation of 0 … queries - 1, decided by seed and epoch."""
    order = list(range(queries))
    random.Random(f"{training.seed} {epoch}").shuffle(order)
    return order


def _indices(mask: Booleans) -> list[int]:
    return np.flatnonzero(mask).tolist()


def _sample(generator: random.Random, first: list[int], others: list[int], count: int) -> list[int]:
    """``count`` indices (or all), those of ``first`` before the others, at random within each."""
    chosen = generator.sample(first, min(count, len(first)))
    return chosen + generator.sample(others, min(count - len(chosen), len(others)))
