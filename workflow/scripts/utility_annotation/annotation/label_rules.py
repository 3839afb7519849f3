"""How the result of an annotation stage becomes labels of the pool's candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..io.label_values import HIGHEST_GRADE, IGNORED, NEGATIVE, judgements

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Listed:
    """The passages that a stage listed for a block of queries, one query after the other.

    Those that were added to complete a ranking are not among them.

    Attributes:
        place: place of each passage in its query's list, from 0; shape (passages,).
        length: passages in the list of its query; shape (passages,).
        score: its score; NaN if the stage lists passages without scores; shape (passages,).
        top_percent, relevance_level, margin: the label set's settings of these names.
    """

    place: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]
    top_percent: float
    relevance_level: int
    margin: float


@dataclass(frozen=True)
class LabelRule:
    """How listed passages are labelled.

    Attributes:
        column: the annotation column that lists passages: ``docids``, in the order of the reply, or ``scores``, one for
            every candidate; or ``replies``, answers of which a metric makes such scores.
        label: the label of each listed passage, fp32; a candidate that is not listed has the label 0.
        soft: whether labels are likelihoods, without positives; only the loss ``kl`` takes them.
        ranked: whether the list orders the shown passages; ``top_percent`` of it are then positives.
        highest: the highest grade, where the scores are grades; else 0. A passage without a score was not shown, and
            is negative. One whose score is null is doubtful, or its grade could not be read: it is ignored.
    """

    column: Literal["docids", "scores", "replies"]
    label: Callable[[Listed], npt.NDArray[np.float32]]
    soft: bool = False
    ranked: bool = False
    highest: int = 0

    @property
    def graded(self) -> bool:
        """Whether the scores are grades."""
        return self.highest > 0

    @property
    def measured(self) -> bool:
        """Whether a metric of answers gives the scores."""
        return self.column == "replies"

    @property
    def settings(self) -> tuple[str, ...]:
        """The keys of a label set that it reads and others may not."""
        graded, ranked = ("relevance_level",) * self.graded, ("top_percent",) * self.ranked
        return (*graded, *ranked, *(("metric", "margin") if self.measured else ()))

    def positives(self, docids: Sequence[str], top_percent: float) -> list[str]:
        """The positives among one query's listed passages; a soft rule has none."""
        if self.soft or self.column != "docids":
            return []
        import numpy as np  # here, as below, so that stages are planned without it

        number = len(docids)
        scores = np.full(number, np.nan, np.float32)
        listed = Listed(np.arange(number), np.full(number, number), scores, top_percent, 1, 0.0)
        return [docid for docid, label in zip(docids, self.label(listed), strict=True) if label > 0]


def _selected(listed: Listed) -> npt.NDArray[np.float32]:
    import numpy as np

    return np.ones(len(listed.place), np.float32)


def _top_ranked(listed: Listed) -> npt.NDArray[np.float32]:
    import numpy as np

    kept = np.maximum(1, np.floor(listed.top_percent * listed.length / 100))
    return (listed.place < kept).astype(np.float32)


def _likelihoods(listed: Listed) -> npt.NDArray[np.float32]:
    return listed.score


def _grades(listed: Listed) -> npt.NDArray[np.float32]:
    import numpy as np

    grades = np.where(listed.score < listed.relevance_level, NEGATIVE, listed.score)
    return np.where(np.isnan(listed.score), IGNORED, grades).astype(np.float32)


def _gains(listed: Listed) -> npt.NDArray[np.float32]:
    import numpy as np

    return judgements(listed.score > listed.margin, np.isnan(listed.score))


SELECTED = LabelRule("docids", _selected)
"""Every passage of the selection is a positive."""

TOP_RANKED = LabelRule("docids", _top_ranked, ranked=True)
"""The first ``top_percent`` of the ranking are positives, at least one (the paper's utility ranking).

A passage that the LLM left out is not in its ranking, so it is never positive and does not make the share larger.
"""

LIKELIHOODS = LabelRule("scores", _likelihoods, soft=True)
"""The score itself is the label (REPLUG)."""

GRADES = LabelRule("scores", _grades, highest=HIGHEST_GRADE)
"""A passage whose grade is ``relevance_level`` or more is a positive. The label is its grade."""

VERDICTS = LabelRule("scores", _grades, highest=1)
"""The score says of each passage whether it is a positive."""

GAINS = LabelRule("replies", _gains)
"""A passage with which the LLM answers better than without any, by more than ``margin``, is a positive.

One whose answer could not be read is ignored.
"""
