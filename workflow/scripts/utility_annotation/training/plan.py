"""The queries, batches and learning rates of a training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..common.errors import InputError
from ..io.label_values import are_judgements, is_ignored
from ..settings import Training, entry
from .data import TrainingData
from .losses import LOSSES
from .sampling import average_positives, epoch_order, positive_mask


@dataclass(frozen=True)
class TrainingPlan:
    """The queries that are trained on, and the number of steps.

    Attributes:
        queries: their places in the training data.
        skipped: number of labelled queries left out because they have no positive.
        average: mean number of positives per query, rounded, for pos-avg.
        ignored: number of ignored candidates of the queries that are trained on.
        steps: optimiser steps in all.
        warmup: steps with rising learning rate.
    """

    training: Training
    queries: list[int]
    skipped: int
    average: int
    ignored: int = 0

    @property
    def epoch_steps(self) -> int:
        return math.ceil(len(self.queries) / self.training.global_batch_size)

    @property
    def steps(self) -> int:
        return self.epoch_steps * self.training.epochs

    @property
    def warmup(self) -> int:
        return math.ceil(self.steps * self.training.warmup_ratio)

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0: a linear rise to the peak, then a linear fall towards 0."""
        if step < self.warmup:
            return self.training.learning_rate * (step + 1) / self.warmup
        return self.training.learning_rate * (self.steps - step) / (self.steps - self.warmup)

    def batches(self, start: int) -> Iterator[tuple[int, list[int]]]:
        """Epoch (from 0) and queries of each step from ``start`` on; an epoch's last batch may be smaller."""
        for epoch in range(start // self.epoch_steps, self.training.epochs):
            order = epoch_order(len(self.queries), self.training, epoch)
            first = max(start - epoch * self.epoch_steps, 0) * self.training.global_batch_size
            for position in range(first, len(order), self.training.global_batch_size):
                yield (
                    epoch,
                    [self.queries[place] for place in order[position : position + self.training.global_batch_size]],
                )


def make_plan(data: TrainingData, training: Training) -> TrainingPlan:
    """Count positives and decide which queries are used.

    Raises:
        InputError: there is no such loss, labels do not fit it, or no query has a positive.
    """
    loss = entry(LOSSES, training.loss, "loss")
    labels, human, owners = data.all_labels()
    if not np.isfinite(labels).all():
        raise InputError(
            "a label is not a finite number.",
            hint="check the stage that scored the answers: a score is NaN or infinite.",
        )
    if not loss.soft_labels and not are_judgements(labels):
        soft = [name for name, other in LOSSES.items() if other.soft_labels]
        raise InputError(
            f"loss {training.loss} needs labels that say positive or negative, but these are scores.",
            hint=f"set loss to {' or '.join(soft)} for labels of source replug.",
        )
    counts = np.bincount(owners[positive_mask(labels, human, training)], minlength=len(data))
    used = np.flatnonzero(counts).tolist()
    if not used:
        raise InputError(
            f"no query has a positive under loss {training.loss} and human_positive {training.human_positive}.",
            hint="choose labels with other positives than those left out, or another human_positive.",
        )
    ignored = 0 if loss.soft_labels else int(np.count_nonzero(is_ignored(labels) & (counts > 0)[owners]))
    return TrainingPlan(training, used, len(data) - len(used), average_positives(counts), ignored)
