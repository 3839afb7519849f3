"""Agreement of two raters: Cohen's kappa and the highest kappa."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from utility_annotation.labels.agreement import Confusion

ratings = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
counts = st.builds(Confusion, *[st.integers(0, 50)] * 4)


def confusion(pairs: list[tuple[bool, bool]]) -> Confusion:
    return Confusion.count(*np.array(pairs).T)


def test_the_four_cells_are_counted() -> None:
    pairs = [(True, True)] * 4 + [(True, False)] * 3 + [(False, True)] * 2 + [(False, False)]
    assert confusion(pairs) == Confusion(both=4, llm_only=3, human_only=2, neither=1)


def test_kappa_of_an_example_by_hand() -> None:
    """Of 50 passages one rater marks 25, the other 30, both 20: observed 35/50; chance .5 · .6 + .5 · .4 = .5."""
    assert Confusion(both=20, llm_only=5, human_only=10, neither=15).kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_highest_kappa_of_an_example_by_hand() -> None:
    """With margins 25 and 30 of 50 at best all 25 are shared: observed (25 + 20) / 50 = .9."""
    assert Confusion(both=20, llm_only=5, human_only=10, neither=15).kappa_max == pytest.approx((0.9 - 0.5) / 0.5)


@given(ratings)
def test_kappa_is_scikit_learns(pairs: list[tuple[bool, bool]]) -> None:
    llm, human = np.array(pairs).T
    assume(not (llm == llm[0]).all() or not (human == llm[0]).all())  # there scikit-learn divides 0 by 0
    assert confusion(pairs).kappa == pytest.approx(cohen_kappa_score(llm, human), abs=1e-12)


@given(ratings)
def test_kappa_is_symmetric_in_the_raters(pairs: list[tuple[bool, bool]]) -> None:
    there, back = confusion(pairs), confusion([(human, llm) for llm, human in pairs])
    assert (there.kappa, there.kappa_max) == (back.kappa, back.kappa_max)


@given(st.lists(st.booleans(), min_size=2, max_size=60).filter(lambda labels: len(set(labels)) == 2))
def test_identical_ratings_have_kappa_one(labels: list[bool]) -> None:
    assert confusion([(label, label) for label in labels]).kappa == 1


@given(st.lists(st.booleans(), min_size=2, max_size=60).filter(lambda labels: len(set(labels)) == 2))
def test_an_llm_that_marks_everything_agrees_by_chance_alone(human: list[bool]) -> None:
    assert confusion([(True, label) for label in human]).kappa == 0


@pytest.mark.parametrize("label", [True, False])
def test_kappa_is_undefined_where_all_ratings_are_the_same(label: bool) -> None:
    found = confusion([(label, label)] * 5)
    assert (found.kappa, found.kappa_max) == (None, None)


@given(counts)
def test_highest_kappa_is_the_kappa_of_the_most_agreeing_table_with_these_margins(table: Confusion) -> None:
    moved = min(table.llm_only, table.human_only)
    best = Confusion(table.both + moved, table.llm_only - moved, table.human_only - moved, table.neither + moved)
    assert table.kappa_max == best.kappa
