"""What calibrated probabilities are worth: figures by hand, folds of whole questions, intervals, what is refused."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from utility_annotation.common.bootstrap import draws
from utility_annotation.common.errors import InputError
from utility_annotation.labels.calibration import METHODS
from utility_annotation.selection.reliability import THRESHOLDS, Places, calibrate, discrimination, reliability

Data = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], Places]


def data(scores: list[float], positive: list[int], questions: list[int]) -> Data:
    return np.array(scores, np.float64), np.array(positive, np.bool_), np.array(questions, np.int64)


def drawn(questions: int, candidates: int, seed: int, slope: float = 1.5) -> Data:
    """Candidates of which a higher score has a higher chance to be positive, if there is a slope."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=questions * candidates)
    positive = generator.random(len(scores)) < 1 / (1 + np.exp(1 - slope * scores))
    return scores, positive, np.repeat(np.arange(questions), candidates)


BY_HAND = data([0.9, 0.15, 0.15, 0.6], [1, 0, 1, 0], [0, 0, 1, 1])


def test_figures_by_hand() -> None:
    found = reliability(*BY_HAND)
    assert found["brier"] == pytest.approx((0.1**2 + 0.15**2 + 0.85**2 + 0.6**2) / 4)
    assert found["ece"] == pytest.approx((2 * 0.35 + 0.6 + 0.1) / 4)
    bins = [(each["candidates"], each["probability"], each["positives"]) for each in found["bins"]]
    assert bins == [(2, pytest.approx(0.15), 0.5), (1, pytest.approx(0.6), 0.0), (1, pytest.approx(0.9), 1.0)]


@pytest.mark.parametrize(
    ("threshold", "kept", "precision", "recall", "f1", "empty"),
    [
        (0.15, 2.0, 1 / 2, 1.0, 2 / 3, 0.0),
        (0.5, 1.0, 1 / 2, 1 / 2, 1 / 2, 0.0),
        (0.6, 1.0, 1 / 2, 1 / 2, 1 / 2, 0.0),
        (0.7, 0.5, 1.0, 1 / 2, 2 / 3, 0.5),
        (0.95, 0.0, 0.0, 0.0, 0.0, 1.0),
    ],
)
def test_what_a_threshold_keeps(
    threshold: float, kept: float, precision: float, recall: float, f1: float, empty: float
) -> None:
    (found,) = (each for each in reliability(*BY_HAND)["thresholds"] if each["threshold"] == threshold)
    figures = {"passages_per_question": kept, "precision": precision, "recall": recall, "f1": f1, "empty": empty}
    assert found == pytest.approx({"threshold": threshold} | figures)


def test_a_probability_of_one_is_in_the_last_bin() -> None:
    found = reliability(*data([0.0, 1.0, 0.95], [0, 1, 1], [0, 0, 1]))
    assert [(each["candidates"], each["positives"]) for each in found["bins"]] == [(1, 0.0), (2, 1.0)]


@settings(max_examples=20)
@given(
    cases=st.lists(
        st.tuples(st.integers(-30, 30).map(lambda number: number / 10), st.booleans(), st.integers(0, 6)),
        min_size=1,
        max_size=40,
    )
)
def test_bins_hold_every_candidate_and_thresholds_keep_ever_fewer(cases: list[tuple[float, bool, int]]) -> None:
    ends = [(0.5, True, 0), (-0.5, False, 1)]  # two questions, a positive and a negative
    scores, positive, questions = (list(each) for each in zip(*ends, *cases, strict=True))
    places = {question: place for place, question in enumerate(dict.fromkeys(questions))}
    found = calibrate(*data(scores, positive, [places[question] for question in questions]))
    assert (found["questions"], found["candidates"], found["positives"]) == (len(places), len(scores), sum(positive))
    assert found["methods"].keys() == METHODS.keys()
    for method in found["methods"].values():
        assert sum(each["candidates"] for each in method["bins"]) == len(scores)
        assert sum(each["candidates"] * each["positives"] for each in method["bins"]) == pytest.approx(sum(positive))
        assert all(0 <= each["probability"] <= 1 for each in method["bins"])
        assert [each["threshold"] for each in method["thresholds"]] == list(THRESHOLDS)
        kept = [each["passages_per_question"] for each in method["thresholds"]]
        assert kept == sorted(kept, reverse=True)
        assert 0 <= method["ece"] <= 1
        assert 0 <= method["brier"] <= 1


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("name", METHODS)
def test_each_question_is_judged_by_what_is_fitted_to_the_others(name: str, number: int) -> None:
    """As many questions as folds or fewer, so that every fold is one question."""
    scores, positive, questions = drawn(number, 12, seed=number)
    method, unseen = METHODS[name], np.empty(len(scores))
    for question in range(number):
        own = questions == question
        unseen[own] = method.probabilities(method.fit(scores[~own], positive[~own]), scores[own])
    found = calibrate(scores, positive, questions)["methods"][name]
    assert found == {"fitted": method.fit(scores, positive)} | reliability(unseen, positive, questions)


def test_steps_that_fit_mere_chance_look_good_on_what_they_saw_and_are_not_good() -> None:
    scores, positive, questions = drawn(40, 5, seed=3, slope=0)
    method = METHODS["isotonic"]
    seen = reliability(method.probabilities(method.fit(scores, positive), scores), positive, questions)["brier"]
    constant = positive.mean() * (1 - positive.mean())
    assert seen < constant < calibrate(scores, positive, questions)["methods"]["isotonic"]["brier"]


def test_candidates_of_one_question_are_never_on_both_sides_of_a_fit() -> None:
    """Each question has one score and one label, so that only a fit to its own candidates knows the label."""
    number = 40
    scores = np.repeat(np.arange(number, dtype=np.float64), 6)
    positive = np.repeat(np.random.default_rng(5).random(number) < 0.5, 6)
    questions = np.repeat(np.arange(number), 6)
    together = calibrate(scores, positive, questions)["methods"]["isotonic"]["brier"]
    apart = calibrate(scores, positive, np.arange(len(scores)))["methods"]["isotonic"]["brier"]
    assert apart < 0.25 < together


def test_intervals_contain_their_figures() -> None:
    found = calibrate(*drawn(60, 10, seed=2))["methods"]
    for method in found.values():
        low, high = method["brier_interval"]
        assert 0 < low < method["brier"] < high < 1
        for each in method["bins"]:
            low, high = each["interval"]
            assert 0 <= low <= each["positives"] <= high <= 1
    assert any(low < high for low, high in (each["interval"] for each in found["platt"]["bins"]))


def test_more_questions_have_narrower_intervals() -> None:
    widths = []
    for questions in (20, 500):
        low, high = calibrate(*drawn(questions, 8, seed=6))["methods"]["platt"]["brier_interval"]
        widths.append(high - low)
    assert widths[1] < widths[0] / 3


def test_the_same_candidates_have_the_same_figures() -> None:
    assert calibrate(*drawn(9, 4, seed=1)) == calibrate(*drawn(9, 4, seed=1))


@pytest.mark.parametrize(
    ("positive", "questions", "what"),
    [
        ([1, 0, 1], [0, 0, 0], "one question"),
        ([0, 0, 0], [0, 1, 1], "no positive"),
        ([1, 1, 1], [0, 1, 1], "no negative"),
        ([], [], "no positive"),
    ],
)
def test_labels_that_cannot_calibrate_are_refused(positive: list[int], questions: list[int], what: str) -> None:
    with pytest.raises(InputError, match=f"have {what}, so no score can be calibrated") as error:
        calibrate(*data([0.5] * len(positive), positive, questions))
    assert "selected.*.labels" in str(error.value)


@settings(max_examples=50)
@given(
    scores=st.lists(st.integers(-3, 3), min_size=2, max_size=30),
    seed=st.integers(0, 100),
)
def test_the_auc_is_that_of_the_mann_whitney_statistic(scores: list[int], seed: int) -> None:
    positive = np.random.default_rng(seed).random(len(scores)) < 0.5
    positive[:2] = True, False
    found = discrimination(np.array(scores, np.float64), positive, np.arange(len(scores)))["auc"]
    theirs = mannwhitneyu(np.array(scores)[positive], np.array(scores)[~positive]).statistic
    assert found == pytest.approx(theirs / (positive.sum() * (~positive).sum()))


def test_the_interval_of_the_auc_is_that_of_questions_drawn_as_a_whole() -> None:
    scores, positive, questions = drawn(9, 4, seed=8)
    values = []
    for often in draws(9):
        taken = np.repeat(np.arange(len(scores)), often[questions])
        above, below = scores[taken][positive[taken]], scores[taken][~positive[taken]]
        values.append((above[:, None] > below).mean())
    assert discrimination(scores, positive, questions)["auc_interval"] == pytest.approx(
        np.percentile(values, [2.5, 97.5])
    )


@pytest.mark.parametrize(("slope", "warned"), [(0.0, True), (3.0, False)])
def test_scores_that_tell_nothing_apart_are_warned_of(
    slope: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    found = calibrate(*drawn(40, 8, seed=4, slope=slope))
    assert (found["auc_interval"][0] <= 0.5) == warned
    assert bool([record for record in caplog.records if record.levelno == logging.WARNING]) == warned
