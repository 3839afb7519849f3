"""What several labellers say together, against crowd-kit's figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.labels.dawid_skene import LabellerModel, dawid_skene

REFERENCE = json.loads(Path(__file__).with_name("crowd_kit.json").read_text())
RATINGS = np.array(REFERENCE["ratings"], float)
RATINGS[RATINGS < 0] = np.nan


def _by_pattern(ratings: np.ndarray) -> tuple[LabellerModel, np.ndarray]:
    """The model of the distinct patterns, and the pattern of each passage."""
    filled = np.nan_to_num(ratings, nan=-1)
    patterns, places, counts = np.unique(filled, axis=1, return_inverse=True, return_counts=True)
    patterns[patterns < 0] = np.nan
    return dawid_skene(patterns, counts), places


def test_the_model_is_that_of_crowd_kit() -> None:
    found = dawid_skene(RATINGS, np.ones(RATINGS.shape[1]))
    np.testing.assert_allclose(found.probability, REFERENCE["probability"], atol=1e-4)
    np.testing.assert_allclose(found.sensitivity, REFERENCE["sensitivity"], atol=1e-4)
    np.testing.assert_allclose(found.specificity, REFERENCE["specificity"], atol=1e-4)
    assert found.prior == pytest.approx(REFERENCE["prior"], abs=1e-4)


def test_passages_that_are_judged_alike_can_be_counted_together() -> None:
    each = dawid_skene(RATINGS, np.ones(RATINGS.shape[1]))
    together, places = _by_pattern(RATINGS)
    np.testing.assert_allclose(together.probability[places], each.probability, atol=1e-9)


def test_labellers_who_agree_are_trusted_more_than_one_who_guesses() -> None:
    rng = np.random.default_rng(5)
    truth = rng.random(3000) < 0.3
    rows = [np.where(rng.random(3000) < right, truth, ~truth) for right in (0.9, 0.9, 0.9, 0.5)]
    found, places = _by_pattern(np.array(rows, float))
    np.testing.assert_allclose(found.accuracy, [0.9, 0.9, 0.9, 0.5], atol=0.04)
    assert ((found.probability[places] > 0.5) == truth).mean() > 0.95


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=3, max_size=3).filter(
            lambda row: not np.isnan(row).all()
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_figure_is_a_share(rows: list[list[float]]) -> None:
    found = dawid_skene(np.array(rows).T, np.ones(len(rows)))
    for figure in (found.probability, found.sensitivity, found.specificity, found.accuracy, np.array(found.prior)):
        assert ((figure >= 0) & (figure <= 1)).all()
