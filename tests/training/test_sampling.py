"""Which passages are drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.io.label_values import IGNORED
from utility_annotation.settings import Training
from utility_annotation.training.sampling import average_positives, draw, epoch_order


def run(**keys: object) -> Training:
    return Training(labels="test", **{"train_group_size": 8, **keys})


def draw_from(
    labels: list[float],
    of_run: Training,
    *,
    human: tuple[int, ...] = (),
    ranks: list[int] | None = None,
    epoch: int = 0,
    average: int = 1,
):
    flags = np.array([index in human for index in range(len(labels))])
    listed = np.array(ranks or [0] * len(labels), np.int32)
    return draw("q", np.array(labels, np.float32), flags, listed, of_run, epoch=epoch, average=average)


LABELS = [1.0] * 4 + [0.0] * 27

POLICIES = ("random", "exclusion", "inclusion")

candidates = st.lists(st.tuples(st.sampled_from([0.0, 1.0, IGNORED]), st.booleans()), min_size=1, max_size=31)
runs = st.builds(
    run,
    loss=st.sampled_from(["singlelh", "first1lh", "rand1lh", "jointlh", "summarglh", "lsepair"]),
    positives=st.sampled_from(["pos-one", "pos-avg", "pos-all"]),
    human_positive=st.sampled_from(POLICIES),
    train_group_size=st.integers(2, 16),
)


@given(candidates, runs, st.integers(0, 3), st.integers(1, 5))
def test_a_draw_keeps_the_rules(rows, drawn_run, epoch, average):
    labels, human = [label for label, _ in rows], {index for index, (_, human) in enumerate(rows) if human}
    labelled, ignored = ({place for place, label in enumerate(labels) if label == value} for value in (1, IGNORED))
    drawn = draw_from(labels, drawn_run, human=tuple(human), epoch=epoch, average=average)
    positives, negatives = set(drawn.positives), set(drawn.negatives)
    assert len(positives) + len(negatives) == len(drawn.positives) + len(drawn.negatives) <= drawn_run.train_group_size
    assert len(positives) < drawn_run.train_group_size or drawn_run.positives == "pos-one"
    assert not positives & negatives
    assert not negatives & (labelled | set(drawn.protected))
    assert labelled | ignored <= set(drawn.protected)
    assert not negatives & ignored
    assert positives & ignored <= (human if drawn_run.human_positive == "inclusion" else set())
    if drawn_run.human_positive == "exclusion":
        assert not (positives | negatives) & human
        assert human <= set(drawn.protected)
    else:
        assert positives <= labelled | human
    if drawn_run.human_positive == "inclusion":
        assert not negatives & human
        assert len(positives & human) >= min(len(human), 1)


@pytest.mark.parametrize(("positives", "expected"), [("pos-avg", 3), ("pos-all", 4)])
def test_number_of_positives(positives, expected):
    drawn = draw_from(LABELS, run(positives=positives), average=3)
    assert (len(drawn.positives), len(drawn.negatives)) == (expected, 8 - expected)


def test_pos_all_leaves_a_place_for_one_negative():
    drawn = draw_from([1.0] * 20 + [0.0] * 5, run(positives="pos-all"))
    assert (len(drawn.positives), len(drawn.negatives)) == (7, 1)


def test_positives_and_negatives_are_drawn_evenly_over_epochs():
    """4 positives, 1 drawn: each about 1/4 of 4,000 epochs (standard deviation 27); 27 negatives, 7 drawn."""
    positives, negatives = Counter(), Counter()
    for epoch in range(4000):
        drawn = draw_from(LABELS, run(loss="rand1lh"), epoch=epoch)
        positives.update(drawn.positives)
        negatives.update(drawn.negatives)
    assert positives.keys() == set(range(4))
    assert all(abs(count - 1000) < 140 for count in positives.values())
    assert negatives.keys() == set(range(4, 31))
    assert all(abs(count - 4000 * 7 / 27) < 140 for count in negatives.values())


def test_pos_one_draws_one_positive_and_fills_up_from_all_other_candidates():
    """4 of 31 positive, 1 drawn first, 7 of the other 30 beside: 3 × 7/30 further positives on average."""
    draws = [draw_from(LABELS, run(positives="pos-one"), epoch=epoch) for epoch in range(4000)]
    assert {len(drawn.positives) + len(drawn.negatives) for drawn in draws} == {8}
    counts = [len(drawn.positives) for drawn in draws]
    assert min(counts) == 1
    assert np.mean(counts) == pytest.approx(1 + 3 * 7 / 30, abs=0.05)


def test_pos_one_with_a_single_positive_draws_negatives_beside_it():
    drawn = draw_from([0.0, 1.0, 0.0, 0.0], run(positives="pos-one"))
    assert (drawn.positives, sorted(drawn.negatives)) == ((1,), [0, 2, 3])


def test_a_draw_depends_on_seed_epoch_and_query_alone():
    labels, human = np.array(LABELS, np.float32), np.zeros(31, bool)

    def drawn(query_id: str, seed: int, epoch: int):
        return draw(query_id, labels, human, np.zeros(31, np.int32), run(seed=seed), epoch=epoch, average=1)

    again = [drawn(query_id, 1, 0) for query_id in ("b", "a", "b", "a")]
    assert again[:2] == again[2:]
    assert len({drawn("a", 1, 0), drawn("a", 2, 0), drawn("a", 1, 1), drawn("b", 1, 0)}) == 4


def test_first1lh_takes_the_first_listed_and_rand1lh_any():
    labels, ranks = [0.0, 1.0, 1.0, 1.0, *[0.0] * 10], [1, 4, 3, 0, *[0] * 9, 2]
    drawn = {draw_from(labels, run(loss="first1lh"), ranks=ranks, epoch=epoch).positives for epoch in range(30)}
    assert drawn == {(2,)}
    assert {draw_from(labels, run(loss="rand1lh"), epoch=epoch).positives for epoch in range(60)} == {(1,), (2,), (3,)}


def test_first1lh_takes_an_included_human_positive_before_what_the_llm_listed_first():
    labels, first = [1.0, 1.0, 0.0, 0.0, 0.0], run(loss="first1lh", human_positive="inclusion")
    assert draw_from(labels, first, human=(3, 2), ranks=[1, 2, 0, 0, 0]).positives == (2,)
    assert draw_from(labels, first, human=(1, 2), ranks=[1, 2, 0, 0, 0]).positives == (1,)


def test_singlelh_takes_the_human_positive():
    assert draw_from([1.0, 1.0, 0.0, 0.0], run(loss="singlelh"), human=(1,)).positives == (1,)
    assert draw_from([1.0, 1.0, 0.0, 0.0], run(loss="singlelh"), human=(2,)).positives == ()


def test_human_positive_that_the_llm_did_not_mark():
    """random: a negative like others; exclusion: never used; inclusion: always a positive."""
    labels = [0.0, 1.0, 0.0, 0.0]
    draws = {
        policy: draw_from(labels, run(human_positive=policy, loss="rand1lh"), human=(0,))
        for policy in ("random", "exclusion", "inclusion")
    }
    assert 0 in draws["random"].negatives
    assert 0 not in (*draws["exclusion"].positives, *draws["exclusion"].negatives)
    assert draws["exclusion"].positives == (1,)
    assert draws["inclusion"].positives == (0,)


def test_kl_draws_from_all_candidates_and_needs_no_positive():
    drawn = [
        draw_from([-1.5, -2.0, -3.0, -9.0], run(loss="kl", train_group_size=3), epoch=epoch) for epoch in range(40)
    ]
    assert {len(one.positives) for one in drawn} == {3}
    assert {index for one in drawn for index in one.positives} == {0, 1, 2, 3}
    whole = draw_from([-1.5, -2.0, -3.0], run(loss="kl"))
    assert sorted(whole.positives) == [0, 1, 2]


def test_kl_leaves_human_positives_out_or_always_draws_them():
    scores, human = [-1.5, -2.0, -3.0, -9.0], (1,)
    excluded, included = (
        [
            draw_from(scores, run(loss="kl", train_group_size=2, human_positive=policy), human=human, epoch=epoch)
            for epoch in range(40)
        ]
        for policy in ("exclusion", "inclusion")
    )
    assert {index for one in excluded for index in one.positives} == {0, 2, 3}
    assert {one.positives[0] for one in included} == {1}
    assert {one.positives[1] for one in included} == {0, 2, 3}
    assert all(not one.negatives for one in (*excluded, *included))


@pytest.mark.parametrize(("counts", "average"), [([1, 2, 0], 2), ([1, 1, 1, 2], 1), ([0, 0], 1), ([3, 0, 0, 0], 3)])
def test_average_is_over_queries_that_have_a_positive(counts, average):
    assert average_positives(np.array(counts)) == average


def test_epochs_have_their_own_order():
    orders = [epoch_order(50, run(seed=seed), epoch) for seed, epoch in ((1, 0), (1, 1), (2, 0), (1, 0))]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] == orders[3]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_an_ignored_passage_is_neither_positive_nor_negative_and_is_protected():
    labels = [1.0, IGNORED, 0.0, IGNORED, 0.0]
    for epoch in range(20):
        drawn = draw_from(labels, run(loss="rand1lh"), human=(3,), epoch=epoch)
        assert (drawn.positives, set(drawn.negatives), drawn.protected) == ((0,), {2, 4}, (0, 1, 3))


def test_a_human_positive_that_is_ignored_is_a_positive_where_humans_are_included():
    labels, human = [1.0, IGNORED, 0.0], (1,)
    draws = {policy: draw_from(labels, run(loss="rand1lh", human_positive=policy), human=human) for policy in POLICIES}
    assert {policy: drawn.positives for policy, drawn in draws.items()} == {
        "random": (0,),
        "exclusion": (0,),
        "inclusion": (1,),
    }
    assert {drawn.negatives for drawn in draws.values()} == {(2,)}


def test_the_human_positive_of_singlelh_is_none_if_it_is_ignored():
    assert draw_from([1.0, IGNORED, 0.0], run(loss="singlelh"), human=(1,)).positives == ()
