"""Scores as probabilities: figures of scikit-learn, the best rising steps, and what holds whatever the labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.labels.calibration import METHODS

Floats = npt.NDArray[np.float64]
REFERENCE = json.loads(Path(__file__).with_name("scikit_learn.json").read_text())["cases"]
"""What scikit-learn's IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip") and its _SigmoidCalibration, which has
Platt's smoothed targets too, give the scores ``asked`` after a fit to labelled scores, of which many are equal. The
slopes that the latter fits are positive."""
SCORE = st.integers(-60, 60).map(lambda number: number / 4)
LABELLED = st.lists(st.tuples(SCORE, st.booleans()), min_size=1, max_size=30)


def probabilities(name: str, scores: list[float], positive: list[Any], asked: list[float]) -> Floats:
    method = METHODS[name]
    fitted = method.fit(np.array(scores), np.array(positive, np.bool_))
    return method.probabilities(fitted, np.array(asked))


@pytest.mark.parametrize("case", REFERENCE, ids=range(len(REFERENCE)))
def test_isotonic_is_that_of_scikit_learn(case: dict[str, Any]) -> None:
    found = probabilities("isotonic", case["scores"], case["positive"], case["asked"])
    np.testing.assert_allclose(found, case["isotonic"], atol=1e-6)


@pytest.mark.parametrize("case", REFERENCE, ids=range(len(REFERENCE)))
def test_platt_is_that_of_scikit_learn_where_scores_rank_forwards(case: dict[str, Any]) -> None:
    found = probabilities("platt", case["scores"], case["positive"], case["asked"])
    np.testing.assert_allclose(found, case["platt"], atol=2e-3)


def rising(labelled: list[tuple[float, bool]]) -> dict[float, float]:
    """By score, the best fit that never falls, as the max-min formula of isotonic regression has it."""
    values = sorted({score for score, _ in labelled})
    found = {}
    for score in values:
        lows = []
        for low in (each for each in values if each <= score):
            means = []
            for high in (each for each in values if each >= score):
                means.append(np.mean([positive for each, positive in labelled if low <= each <= high]))
            lows.append(min(means))
        found[score] = max(lows)
    return found


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(-4, 4).map(float), st.booleans()), min_size=1, max_size=20))
def test_isotonic_is_the_best_rising_fit_at_every_labelled_score(labelled: list[tuple[float, bool]]) -> None:
    scores, positive = (list(each) for each in zip(*labelled, strict=True))
    expected = rising(labelled)
    found = probabilities("isotonic", scores, positive, list(expected))
    np.testing.assert_allclose(found, list(expected.values()), atol=1e-9)


def test_isotonic_goes_straight_from_step_to_step_and_stays_level_beyond_the_ends() -> None:
    found = probabilities("isotonic", [0, 0, 1, 3, 3], [0, 1, 0, 1, 1], [-9, 0, 1, 1.5, 2, 3, 99])
    np.testing.assert_allclose(found, [1 / 3, 1 / 3, 1 / 3, 1 / 2, 2 / 3, 1, 1])


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=60)
@given(labelled=LABELLED, asked=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20))
def test_probabilities_are_fractions_never_fall_and_are_the_same_from_a_file(
    name: str, labelled: list[tuple[float, bool]], asked: list[float]
) -> None:
    method = METHODS[name]
    scores, positive = (np.array(each) for each in zip(*labelled, strict=True))
    fitted = method.fit(scores, positive)
    places = np.sort(np.concatenate([asked, scores]))
    found = method.probabilities(fitted, places)
    assert found.shape == places.shape
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (np.diff(found) >= -1e-12).all()
    np.testing.assert_array_equal(method.probabilities(json.loads(json.dumps(fitted)), places), found)


@pytest.mark.parametrize("name", ["isotonic", "platt"])
def test_scores_that_rank_backwards_say_nothing_rather_than_the_opposite(name: str) -> None:
    scores = np.linspace(-3, 3, 40)
    found = probabilities(name, scores.tolist(), (scores < 0).tolist(), [-50, -3, 0, 3, 50])
    np.testing.assert_allclose(found, 0.5, atol=1e-3)
    assert len(set(found.tolist())) == 1


def test_a_line_of_platt_that_ranks_backwards_has_no_slope() -> None:
    scores = np.linspace(-3, 3, 40)
    assert METHODS["platt"].fit(scores, scores < 0)["slope"] == 0


def test_platt_does_not_depend_on_the_scale_of_the_scores() -> None:
    """Scores of cross-encoders differ in scale and place from model to model."""
    case = REFERENCE[1]
    first = probabilities("platt", case["scores"], case["positive"], case["asked"])
    scores, asked = (1e4 * np.array(case[each]) + 5e5 for each in ("scores", "asked"))
    found = probabilities("platt", scores.tolist(), case["positive"], asked.tolist())
    np.testing.assert_allclose(found, first, atol=2e-3)


def test_platt_of_equal_scores_is_about_the_share_of_positives() -> None:
    found = probabilities("platt", [2.0] * 100, [1] * 30 + [0] * 70, [2.0])
    assert found[0] == pytest.approx(0.3, abs=0.01)


def test_sigmoid_learns_nothing_from_labels() -> None:
    assert METHODS["sigmoid"].fit(np.array([1.0, 2.0]), np.array([True, False])) == {}
    found = probabilities("sigmoid", [1.0, 2.0], [1, 0], [-1.0, 0.0, 1.0])
    np.testing.assert_allclose(found, [1 / (1 + np.e), 0.5, 1 / (1 + 1 / np.e)])
