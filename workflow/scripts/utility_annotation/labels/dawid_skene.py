"""How far several labellers can be trusted, and what they say together, without knowing the truth.

A. P. Dawid and A. M. Skene, *Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm*, Applied
Statistics 28, 1979, for two classes. Passages that all labellers judge alike count together, so that memory and time
depend on the number of such patterns alone (at most 3 to the power of the labellers).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, xlogy

_STEPS, _TOLERANCE = 1000, 1e-10
"""The most steps; and the gain in mean log-likelihood (nats per passage) below which the model is final."""


class LabellerModel(NamedTuple):
    """What the model estimates.

    Attributes:
        probability: that a passage is positive, per pattern; shape (patterns,).
        prior: the share of positives.
        sensitivity: of each labeller, how many of the positives it calls positive, from 0 to 1; shape (labellers,).
        specificity: of each labeller, how many of the negatives it calls negative, from 0 to 1; shape (labellers,).
    """

    probability: np.ndarray
    prior: float
    sensitivity: np.ndarray
    specificity: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """Of each labeller, the share of passages that it judges rightly; shape (labellers,)."""
        return self.prior * self.sensitivity + (1 - self.prior) * self.specificity


def dawid_skene(ratings: np.ndarray, counts: np.ndarray) -> LabellerModel:
    """Estimate the model by EM, from the share of positive votes on.

    Args:
        ratings: 1 for positive, 0 for negative, NaN where a labeller says nothing; shape (labellers, patterns). Someone
            says something of each pattern.
        counts: passages of each pattern; shape (patterns,).
    """
    positive, negative = ratings == 1, ratings == 0
    probability = positive.sum(axis=0) / (positive | negative).sum(axis=0)
    before = -np.inf
    for _ in range(_STEPS):
        true, false = counts * probability, counts * (1 - probability)
        prior = true.sum() / counts.sum()
        sensitivity, specificity = _share(positive, negative, true), _share(negative, positive, false)
        if_true = np.log(prior) if prior else -np.inf
        if_false = np.log1p(-prior) if prior < 1 else -np.inf
        if_true = if_true + _likelihood(positive, sensitivity) + _likelihood(negative, 1 - sensitivity)
        if_false = if_false + _likelihood(negative, specificity) + _likelihood(positive, 1 - specificity)
        probability = expit(if_true - if_false)
        now = float((counts * np.logaddexp(if_true, if_false)).sum() / counts.sum())
        if now - before < _TOLERANCE:
            break
        before = now
    return LabellerModel(probability, float(prior), sensitivity, specificity)


def _share(right: np.ndarray, wrong: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted share of right judgements, per labeller; one half where there is none at all."""
    rightly, wrongly = right @ weights, wrong @ weights
    judged = rightly + wrongly
    return np.divide(rightly, judged, out=np.full(len(judged), 0.5), where=judged > 0)


def _likelihood(judged: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """The log-likelihood of some judgements, per pattern: minus infinity where one was impossible."""
    return xlogy(judged, chance[:, None]).sum(axis=0)
