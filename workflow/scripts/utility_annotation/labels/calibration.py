"""From a reranker's scores to probabilities that a passage is positive: an entry for each method.

The module loads numpy and scipy when it computes, so that checking a configuration does not need them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

Fitted = Mapping[str, Any]
"""What a method learns from labelled scores, ready for JSON."""


@dataclass(frozen=True)
class Method:
    """A way from scores to probabilities. A higher score never has a lower probability.

    Attributes:
        fit: from scores and whether each passage is positive, shape (passages,), to what it learns.
        probabilities: from that and scores, shape (passages,), to probabilities of the same shape.
        description: for the reference of the configuration.
        code: the same from ``score`` and ``fitted``, in NumPy, for the card of an exported model.
    """

    fit: Callable[[Floats, Bools], Fitted]
    probabilities: Callable[[Fitted, Floats], Floats]
    description: str
    code: str


def _fit_isotonic(scores: Floats, positive: Bools) -> Fitted:
    import numpy as np
    from scipy.optimize import isotonic_regression

    values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    share = np.bincount(places, weights=positive) / counts
    fitted = isotonic_regression(share, weights=counts).x
    inner = np.diff(fitted) == 0
    ends = ~(np.append(False, inner) & np.append(inner, False))  # the first and the last score of each step
    return {"scores": values[ends].tolist(), "probabilities": fitted[ends].clip(0, 1).tolist()}


def _isotonic(fitted: Fitted, scores: Floats) -> Floats:
    import numpy as np

    return np.interp(scores, fitted["scores"], fitted["probabilities"])


def _fit_platt(scores: Floats, positive: Bools) -> Fitted:
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import expit

    number, found = len(positive), int(positive.sum())
    target = np.where(positive, (found + 1) / (found + 2), 1 / (number - found + 2))
    centre, spread = scores.mean(), scores.std() or 1.0
    scaled = (scores - centre) / spread

    def loss(line: Floats) -> tuple[float, Floats]:
        logits = line[0] * scaled + line[1]
        error = expit(logits) - target
        return float((np.logaddexp(0, logits) - target * logits).sum()), np.array([error @ scaled, error.sum()])

    start = np.array([0.0, np.log((found + 1) / (number - found + 1))])
    slope, intercept = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]).x
    return {"slope": float(slope / spread), "intercept": float(intercept - slope * centre / spread)}


def _platt(fitted: Fitted, scores: Floats) -> Floats:
    from scipy.special import expit

    found: Floats = expit(fitted["slope"] * scores + fitted["intercept"])
    return found


def _fit_nothing(scores: Floats, positive: Bools) -> Fitted:
    return {}


def _sigmoid(fitted: Fitted, scores: Floats) -> Floats:
    from scipy.special import expit

    found: Floats = expit(scores)
    return found


METHODS: Mapping[str, Method] = {
    "isotonic": Method(
        _fit_isotonic,
        _isotonic,
        "the rising steps that fit the labels best (isotonic regression; Zadrozny and Elkan 2002)",
        'numpy.interp(score, fitted["scores"], fitted["probabilities"])',
    ),
    "platt": Method(
        _fit_platt,
        _platt,
        "a sigmoid of the score, scaled and shifted to fit the labels (Platt 1999)",
        '1 / (1 + numpy.exp(-fitted["slope"] * score - fitted["intercept"]))',
    ),
    "sigmoid": Method(
        _fit_nothing,
        _sigmoid,
        "the sigmoid of the score as it is, which no label fits: for a reranker of loss bce",
        "1 / (1 + numpy.exp(-score))",
    ),
}
"""By the name in ``selected.*.method`` and ``labels.*.method``."""
