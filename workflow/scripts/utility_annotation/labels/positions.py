"""Position bias: where the selected passages and the human positives are in the lists that a model was shown.

The candidates of a query are shuffled. A model that judges by content alone selects as often at the end of a list as at
its start, and human positives are anywhere. The expected number of selected passages at a place is known exactly: in a
list of n passages of which k are selected, each place holds one with probability k / n, independently of other lists. A
list that a relevance selection narrowed keeps the pool's order. If that selection favoured a place, the passages at
different places are no longer of equal worth; the human positives in the same lists show that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NORMAL_95 = 1.96
"""95 % of a normal distribution are within this many standard deviations of the mean."""

Integers = np.ndarray[Any, np.dtype[np.int64]]


class ShownLists:
    """The lists that a model was shown, one per query, laid end to end.

    Args:
        lengths: passages of each list, in the lists' order; at least one each.
    """

    def __init__(self, lengths: Integers) -> None:
        self.lengths = lengths
        self.list_of = np.repeat(np.arange(len(lengths)), lengths)
        self.place = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)

    def by_position(self, marked: np.ndarray) -> dict[str, list[float]]:
        """The number of marked passages (boolean, one per passage) at places 1, 2, …, and the number by chance.

        ``expected`` and ``standard_deviation`` are those of the number of marked passages at a place if each list's
        were drawn from it at random: the sum over lists of k / n, and the root of the sum of k / n · (1 − k / n).
        """
        share = (np.bincount(self.list_of[marked], minlength=len(self.lengths)) / self.lengths)[self.list_of]
        return {
            "observed": np.bincount(self.place[marked], minlength=self._longest).tolist(),
            "expected": np.bincount(self.place, share, self._longest).tolist(),
            "standard_deviation": np.sqrt(np.bincount(self.place, share * (1 - share), self._longest)).tolist(),
        }

    def shown_by_position(self) -> list[int]:
        """The number of lists that reach places 1, 2, …"""
        return np.bincount(self.place, minlength=self._longest).tolist()

    def relative(self, marked: np.ndarray) -> dict[str, Any]:
        """Mean relative position of the marked passages: 0 is first in its list, 1 last; 0.5 if place does not matter.

        A passage at place i of n has the position (i − 1) / (n − 1); lists of one passage are left out. The standard
        error is that of a ratio estimate with lists as clusters, as the passages of one list are not independent: with
        r the sum of a list's deviations from the mean, √(G / (G − 1) · Σ r²) / passages over the G lists that have a
        marked one (W. G. Cochran, *Sampling Techniques*, 1977, chapter 6). None if there are too few lists.
        """
        usable = marked & (self.lengths[self.list_of] > 1)
        of_list = self.list_of[usable]
        relative = self.place[usable] / (self.lengths[of_list] - 1)
        lists = np.count_nonzero(np.bincount(of_list))
        figures: dict[str, Any] = {"passages": len(relative), "lists": lists, "mean": None, "standard_error": None}
        if lists:
            figures["mean"] = float(relative.mean())
        if lists > 1:
            squares = np.square(np.bincount(of_list, relative - relative.mean())).sum()
            figures["standard_error"] = float(np.sqrt(lists / (lists - 1) * squares)) / len(relative)
        return figures

    @property
    def _longest(self) -> int:
        return int(self.lengths.max(initial=0))
