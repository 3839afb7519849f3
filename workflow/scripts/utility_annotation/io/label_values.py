"""What the label of a candidate says: positive, negative or ignored. Here alone the numbers are told apart.

An ignored candidate is doubtful: no good positive, and no safe negative. Likelihoods (labels of source replug) are no
such labels: do not ask these functions about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Values = npt.NDArray[np.float32]
    Booleans = npt.NDArray[np.bool_]

POSITIVE, NEGATIVE, IGNORED = 1.0, 0.0, -1.0


def is_positive(labels: Values) -> Booleans:
    """Whether each label calls its candidate positive; elementwise, as the next two.

    Of a judgement exactly one of the three holds.
    """
    return labels == POSITIVE


def is_negative(labels: Values) -> Booleans:
    """Whether each label calls its candidate negative."""
    return labels == NEGATIVE


def is_ignored(labels: Values) -> Booleans:
    """Whether each label says nothing of its candidate."""
    return labels == IGNORED


def are_judgements(labels: Values) -> bool:
    """Whether all labels have one of the three values, and so are no likelihoods."""
    return bool((is_positive(labels) | is_negative(labels) | is_ignored(labels)).all())


def judgements(positive: Booleans, ignored: Booleans) -> Values:
    """The labels of candidates: a positive is never ignored, and what is neither is negative."""
    labels = positive.astype("float32")
    labels[ignored & ~positive] = IGNORED
    return labels
