"""What the label of a candidate says: positive, negative or ignored. Here alone the numbers are told apart.

The label of a positive is its grade. Where labels have no grades it is 1.

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
HIGHEST_GRADE = 3


def is_positive(labels: Values) -> Booleans:
    """Whether each label calls its candidate positive; elementwise, as the next two.

    Of a judgement exactly one of the three holds.
    """
    return labels >= POSITIVE


def is_negative(labels: Values) -> Booleans:
    """Whether each label calls its candidate negative."""
    return labels == NEGATIVE


def is_ignored(labels: Values) -> Booleans:
    """Whether each label says nothing of its candidate."""
    return labels == IGNORED


def are_judgements(labels: Values) -> bool:
    """Whether all labels are grades or one of the other two values, and so are no likelihoods."""
    graded = is_positive(labels) & (labels <= HIGHEST_GRADE) & (labels % 1 == 0)
    return bool((graded | is_negative(labels) | is_ignored(labels)).all())


def judgements(positive: Booleans, ignored: Booleans) -> Values:
    """The labels of candidates: a positive is never ignored, and what is neither is negative."""
    return ignoring(positive.astype("float32"), ignored)


def ignoring(labels: Values, doubtful: Booleans) -> Values:
    """The same labels, but that doubtful candidates which are not positive are ignored."""
    ignored = labels.copy()
    ignored[doubtful & ~is_positive(labels)] = IGNORED
    return ignored
