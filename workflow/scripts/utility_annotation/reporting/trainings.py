"""Reading the record that each training leaves beside its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.files import read_json


@dataclass(frozen=True)
class TrainingRecord:
    """One ``training.json``; its folder names the training, the folder above that the backbone.

    Attributes:
        record: all that the trainer wrote.
        steps: 1-based optimiser steps of the loss curve.
        losses: loss at each of them.
    """

    backbone: str
    training: str
    record: dict[str, Any]
    steps: list[int]
    losses: list[float]

    @classmethod
    def read(cls, path: Path) -> TrainingRecord:
        """Read ``…/{backbone}/{training}/training.json``."""
        record: Any = read_json(path)
        place = path.absolute().parent
        steps, losses = ([point[column] for point in record["curve"]] for column in (0, 2))
        return cls(place.parent.name, place.name, record, steps, losses)

    @property
    def loss_name(self) -> str:
        """Name of the loss function."""
        return self.record["training"]["loss"]

    @property
    def first_loss(self) -> float | None:
        """Mean loss of the first tenth of the steps; None where there is no step."""
        return self._mean(self.losses[: self._tenth])

    @property
    def last_loss(self) -> float | None:
        """Mean loss of the last tenth of the steps; None where there is no step."""
        return self._mean(self.losses[-self._tenth :])

    @property
    def _tenth(self) -> int:
        return max(1, len(self.losses) // 10)

    @staticmethod
    def _mean(losses: Sequence[float]) -> float | None:
        return sum(losses) / len(losses) if losses else None
