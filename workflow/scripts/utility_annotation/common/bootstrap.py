"""The bootstrap over questions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_RESAMPLES = 1000
_SEED = 13


def draws(questions: int) -> npt.NDArray[np.int64]:
    """How often each question is in each resample, always the same ones; shape (resamples, questions)."""
    equal = np.full(questions, 1 / questions)
    return np.random.default_rng(_SEED).multinomial(questions, equal, size=_RESAMPLES)


def interval(values: npt.NDArray[np.float64] | Sequence[float]) -> list[float]:
    """The 95 % interval of what was computed of each resample: its two ends."""
    low, high = np.percentile(values, [2.5, 97.5])
    return [float(low), float(high)]
