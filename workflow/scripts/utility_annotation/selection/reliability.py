"""How far calibrated probabilities can be relied on: by questions that their fit has not seen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..common.bootstrap import draws, interval
from ..common.errors import InputError
from ..labels.calibration import METHODS, Method

if TYPE_CHECKING:
    from ..labels.calibration import Bools, Floats

FOLDS = 5
BINS = 10
THRESHOLDS = tuple(round(0.05 * number, 2) for number in range(1, 20))
_SEED = 13

Places = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)


def calibrate(scores: Floats, positive: Bools, questions: Places) -> dict[str, Any]:
    """Fit every method to labelled scores, and measure each by cross-validation over questions.

    Args:
        scores: the score that a reranker, or a retriever in its place, gives each candidate; shape (candidates,).
        positive: whether each is a positive; shape (candidates,).
        questions: the question of each, counted from 0; shape (candidates,).

    Returns:
        Ready for JSON: counts, :func:`discrimination`, and by method ``fitted`` (from all questions) and
        :func:`reliability`, which is measured in folds: the questions of each are judged by what was fitted to the
        others.

    Raises:
        InputError: fewer than two questions, no positive, or nothing but positives.
    """
    number, found = int(questions.max(initial=-1)) + 1, int(positive.sum())
    if number < 2 or found in (0, len(positive)):
        what = "one question" if number == 1 else "no negative" if found and number else "no positive"
        raise InputError(
            f"the held-out labels have {what}, so no score can be calibrated by them.",
            hint="calibrate by a label set of two questions or more, with positives and negatives "
            "(`selected.*.labels`, `labels.*.calibration`).",
        )
    folds = np.random.default_rng(_SEED).permutation(number)[questions] % FOLDS
    methods = {}
    for name, method in METHODS.items():
        unseen = _unseen(method, scores, positive, folds)
        methods[name] = {"fitted": method.fit(scores, positive)} | reliability(unseen, positive, questions)
    told_apart = discrimination(scores, positive, questions)
    low, high = told_apart["auc_interval"]
    if low <= 0.5:
        logger.warning(
            "the scores may not tell positives from negatives: their AUC is %.2f [%.2f, %.2f], and chance has 0.5. "
            "Calibrate by more questions, or take another reranker or retriever, such as one that is trained already",
            told_apart["auc"],
            low,
            high,
        )
    return {"questions": number, "candidates": len(scores), "positives": found} | told_apart | {"methods": methods}


def discrimination(scores: Floats, positive: Bools, questions: Places) -> dict[str, Any]:
    """Whether scores tell positives from negatives, whatever their calibration; arguments as of :func:`calibrate`.

    Returns:
        ``auc``: how often a positive has a higher score than a negative, of all pairs of the two; equal scores count
        half (the area under the ROC curve). ``auc_interval``: its 95 % interval (bootstrap over questions).
    """
    order = np.argsort(scores)
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)  # of equal scores
    positive, questions = positive[order], questions[order]

    def auc(weights: npt.NDArray[np.int64]) -> float:
        above = np.add.reduceat(np.where(positive, weights, 0), starts).astype(np.float64)
        below = np.add.reduceat(np.where(positive, 0, weights), starts).astype(np.float64)
        pairs = above.sum() * below.sum()
        return float((above * (np.cumsum(below) - below / 2)).sum() / pairs) if pairs else np.nan

    values = np.array([auc(often[questions]) for often in draws(int(questions.max()) + 1)])
    return {"auc": auc(np.ones(len(scores), np.int64)), "auc_interval": interval(values[~np.isnan(values)])}


def _unseen(method: Method, scores: Floats, positive: Bools, folds: Places) -> Floats:
    """The probability of each candidate by what was fitted to the other folds."""
    found = np.empty(len(scores))
    for fold in np.unique(folds):
        here = folds == fold
        found[here] = method.probabilities(method.fit(scores[~here], positive[~here]), scores[here])
    return found


def reliability(probabilities: Floats, positive: Bools, questions: Places) -> dict[str, Any]:
    """What probabilities are worth, ready for JSON.

    Returns:
        ``brier``: the mean squared error, with its 95 % interval (bootstrap over questions). ``ece``: the expected
        calibration error over ten bins of equal width. ``bins``: those that have a candidate, with the number of
        candidates, their mean probability, and the share of positives with its interval. ``thresholds``: what each one
        keeps: passages per question, precision, recall and F1 over all candidates, and the share of questions of which
        nothing is left.
    """
    number = int(questions.max()) + 1
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    each = np.zeros((number, BINS, 3))  # by question and bin: candidates, sum of probabilities, positives
    np.add.at(each, (questions, bins), np.stack([np.ones(len(bins)), probabilities, positive], axis=1))
    errors = np.bincount(questions, weights=(probabilities - positive) ** 2, minlength=number)
    sizes = np.bincount(questions, minlength=number)
    drawn = draws(number)
    briers = (drawn @ errors) / (drawn @ sizes)
    shares = np.tensordot(drawn, each[..., [0, 2]], axes=1)
    total = each.sum(axis=0)
    rows = []
    for place in np.flatnonzero(total[:, 0]):
        candidates, summed, found = total[place]
        filled = shares[shares[:, place, 0] > 0, place]
        rows.append(
            {
                "candidates": int(candidates),
                "probability": summed / candidates,
                "positives": found / candidates,
                "interval": interval(filled[:, 1] / filled[:, 0]),
            }
        )
    gaps = sum(row["candidates"] * abs(row["probability"] - row["positives"]) for row in rows)
    return {
        "brier": float(errors.sum() / sizes.sum()),
        "brier_interval": interval(briers),
        "ece": gaps / len(probabilities),
        "bins": rows,
        "thresholds": [_kept(threshold, probabilities, positive, questions, number) for threshold in THRESHOLDS],
    }


def _kept(threshold: float, probabilities: Floats, positive: Bools, questions: Places, number: int) -> dict[str, float]:
    kept = probabilities >= threshold
    hits, found, wanted = int((kept & positive).sum()), int(kept.sum()), int(positive.sum())
    return {
        "threshold": threshold,
        "passages_per_question": found / number,
        "precision": hits / found if found else 0.0,
        "recall": hits / wanted,
        "f1": 2 * hits / (found + wanted),
        "empty": 1 - len(np.unique(questions[kept])) / number,
    }
