"""Position bias: expected counts, relative positions and their standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import sem

from utility_annotation.labels.positions import ShownLists

Marked = list[list[bool]]
marked_lists = st.lists(st.lists(st.booleans(), min_size=1, max_size=8), min_size=1, max_size=20)


def relative(marked: Sequence[Sequence[bool]]) -> dict[str, Any]:
    return ShownLists(np.array([len(each) for each in marked])).relative(np.concatenate(marked).astype(bool))


def by_position(marked: Sequence[Sequence[bool]]) -> dict[str, list[float]]:
    return ShownLists(np.array([len(each) for each in marked])).by_position(np.concatenate(marked).astype(bool))


def one_marked(length: int, place: int) -> list[bool]:
    return [other == place for other in range(length)]


def test_marked_passages_are_counted_by_position() -> None:
    assert by_position([[True, False, True], [True], [False, True]])["observed"] == [2, 1, 1]


def test_lists_are_counted_by_position() -> None:
    assert ShownLists(np.array([3, 1, 2])).shown_by_position() == [3, 2, 1]


def test_expected_counts_are_the_mean_and_deviation_over_all_ways_to_mark() -> None:
    """Every way to mark 1 of 2, 2 of 3 and 1 of 1 passages, each equally likely."""
    lists = [
        [[place in chosen for place in range(length)] for chosen in combinations(range(length), marked)]
        for length, marked in ((2, 1), (3, 2), (1, 1))
    ]
    ways = np.array([by_position([a, b, c])["observed"] for a in lists[0] for b in lists[1] for c in lists[2]])
    found = by_position([lists[0][0], lists[1][0], lists[2][0]])
    assert found["expected"] == pytest.approx(ways.mean(axis=0))
    assert found["standard_deviation"] == pytest.approx(ways.std(axis=0))


@given(marked_lists)
def test_as_many_are_expected_as_are_observed(marked: Marked) -> None:
    found = by_position(marked)
    assert sum(found["expected"]) == pytest.approx(sum(found["observed"]))


def test_relative_position_runs_from_0_to_1_and_lists_of_one_are_left_out() -> None:
    found = relative([[True, False, False, True], [False, True, False], [True]])
    assert (found["passages"], found["lists"], found["mean"]) == (3, 2, pytest.approx((0 + 1 + 0.5) / 3))


@given(marked_lists)
def test_all_that_is_shown_stands_at_one_half(marked: Marked) -> None:
    found = relative([[True] * max(2, len(each)) for each in marked])
    assert found["mean"] == pytest.approx(0.5)


@given(marked_lists)
def test_reversed_lists_mirror_the_mean_and_keep_its_error(marked: Marked) -> None:
    there, back = relative(marked), relative([each[::-1] for each in marked])
    assert (there["mean"] is None) == (back["mean"] is None)
    if there["mean"] is not None:
        assert there["mean"] == pytest.approx(1 - back["mean"])
        assert there["standard_error"] == pytest.approx(back["standard_error"])


def test_with_one_passage_a_list_the_error_is_that_of_a_plain_mean() -> None:
    places = [0, 3, 1, 4, 4, 2]
    found = relative([one_marked(5, place) for place in places])
    assert found["standard_error"] == pytest.approx(sem(np.array(places) / 4))


def test_passages_of_one_list_count_as_dependent() -> None:
    """Lists with 2 and with 1 marked: mean (0 + 1/2 + 1) / 3 = 1/2, residuals −1/2 and 1/2, √(2/1 · 1/2) / 3."""
    found = relative([[True, True, False], [False, False, True]])
    assert (found["mean"], found["standard_error"]) == (pytest.approx(0.5), pytest.approx(1 / 3))


def test_nothing_marked_has_no_mean_and_a_single_list_no_error() -> None:
    assert relative([[False, False]]) == {"passages": 0, "lists": 0, "mean": None, "standard_error": None}
    assert relative([[False, True]]) == {"passages": 1, "lists": 1, "mean": 1, "standard_error": None}


def test_the_error_is_the_spread_of_means_over_repeated_draws() -> None:
    """200 draws of 300 lists of uneven length, each passage marked with a chance of its list's own."""
    generator = np.random.default_rng(7)
    lengths = generator.integers(2, 12, 300)
    lists = ShownLists(lengths)
    draws = [
        lists.relative(generator.random(int(lengths.sum())) < generator.random(300)[lists.list_of]) for _ in range(200)
    ]
    means, errors = (np.array([draw[name] for draw in draws]) for name in ("mean", "standard_error"))
    assert errors.mean() == pytest.approx(means.std(ddof=1), rel=0.15)
    assert means.mean() == pytest.approx(0.5, abs=0.005)
