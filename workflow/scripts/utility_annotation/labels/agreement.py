"""Agreement of raters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


def krippendorff_alpha(ratings: np.ndarray, *, ordinal: bool = False) -> float | None:
    """Krippendorff's alpha; None if all ratings are the same, or if no unit has two.

    K. Krippendorff, *Computing Krippendorff's Alpha-Reliability*, 2011. Like kappa, but for any number of raters, each
    of whom may have left out some units.

    Args:
        ratings: shape (raters, units); NaN where a rater left a unit out.
        ordinal: whether ratings that are far apart disagree more; else all different ratings disagree alike.
    """
    values = np.unique(ratings[~np.isnan(ratings)])
    counts = np.array([(ratings == value).sum(axis=0) for value in values], float)  # (values, units)
    rated = counts.sum(axis=0)
    counts, rated = counts[:, rated > 1], rated[rated > 1]
    of_value, total = counts.sum(axis=1), rated.sum()
    apart = _ordinal_distances(of_value) if ordinal else 1 - np.eye(len(values))
    disagreeing = (np.einsum("cu,ku,ck->u", counts, counts, apart) / (rated - 1)).sum()
    expected = of_value @ apart @ of_value / (total - 1) if total else 0
    return float(1 - disagreeing / expected) if expected else None


def _ordinal_distances(of_value: np.ndarray) -> np.ndarray:
    """Krippendorff's ordinal metric: the square of the ratings between two values, half of their own counted."""
    middle = np.cumsum(of_value) - of_value / 2
    return (middle[:, None] - middle) ** 2


@dataclass(frozen=True)
class Confusion:
    """The 2 × 2 table of an LLM's judgements against human ones, in passages.

    Attributes:
        both: positive to both.
        llm_only: positive to the LLM alone.
        human_only: positive to humans alone.
        neither: positive to neither.
    """

    both: int
    llm_only: int
    human_only: int
    neither: int

    @classmethod
    def count(cls, llm: np.ndarray, human: np.ndarray) -> Confusion:
        """Count two boolean arrays of the same passages."""
        both, llm_positive, human_positive = (int(np.count_nonzero(mask)) for mask in (llm & human, llm, human))
        return cls(both, llm_positive - both, human_positive - both, len(llm) - llm_positive - human_positive + both)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: (observed − chance) / (1 − chance) agreement.

        Chance agreement is that of two raters who each mark as many passages as here, independently of each other
        (J. Cohen, *A coefficient of agreement for nominal scales*, Educational and Psychological Measurement 20, 1960).
        0 is agreement by chance, 1 is perfect; None if both raters give all passages one and the same label, since they
        then agree by chance. Human labels of retrieval collections are sparse: about one passage per query is judged
        positive, and the rest, mostly never judged, count as negative. An LLM that finds every useful passage marks
        more than humans and stays far below 1; :attr:`kappa_max` is the highest value that it could reach.
        """
        return self._beyond_chance(self.both + self.neither)

    @property
    def kappa_max(self) -> float | None:
        """The highest kappa of two raters who mark as many passages as these (Cohen 1960)."""
        marked, human = self.both + self.llm_only, self.both + self.human_only
        return self._beyond_chance(min(marked, human) + min(self._total - marked, self._total - human))

    @property
    def _total(self) -> int:
        return self.both + self.llm_only + self.human_only + self.neither

    def _beyond_chance(self, agreeing: int) -> float | None:
        """Kappa of ``agreeing`` passages under these margins; all in integers until the division."""
        total, marked, human = self._total, self.both + self.llm_only, self.both + self.human_only
        chance = marked * human + (total - marked) * (total - human)
        return (total * agreeing - chance) / (total**2 - chance) if chance < total**2 else None

    def figures(self) -> dict[str, Any]:
        """Counts, kappa and the highest kappa, ready for JSON."""
        counts = {name: getattr(self, name) for name in ("both", "llm_only", "human_only", "neither")}
        return {"passages": counts, "kappa": self.kappa, "kappa_max": self.kappa_max}
