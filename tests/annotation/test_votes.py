"""Merging several permutations: majorities, mean ranks, and orders that a query always gets again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.annotation.votes import merge_rankings, merge_selections, shown_order

DOCIDS = [f"d{number}" for number in range(8)]
SELECTIONS = st.lists(st.lists(st.sampled_from(DOCIDS), unique=True), min_size=1, max_size=7)
RANKINGS = st.lists(st.permutations(DOCIDS), min_size=1, max_size=7)


@given(SELECTIONS)
def test_selected_is_what_more_than_half_of_the_passes_select(selections: list[list[str]]) -> None:
    votes = {docid: sum(docid in selection for selection in selections) for docid in DOCIDS}
    assert set(merge_selections(selections)) == {docid for docid in DOCIDS if votes[docid] > len(selections) / 2}


@given(SELECTIONS)
def test_more_votes_come_first(selections: list[list[str]]) -> None:
    merged = merge_selections(selections)
    votes = [sum(docid in selection for selection in selections) for docid in merged]
    assert votes == sorted(votes, reverse=True)


@given(SELECTIONS.map(lambda selections: selections[0]))
def test_one_pass_stays_as_it_is(selection: list[str]) -> None:
    assert merge_selections([selection]) == selection
    assert merge_rankings([selection]) == selection


def test_half_of_the_passes_is_no_majority() -> None:
    assert merge_selections([["a"], ["b"]]) == []


@given(RANKINGS)
def test_rankings_are_merged_by_mean_rank(rankings: list[list[str]]) -> None:
    merged = merge_rankings(rankings)
    mean = {docid: sum(ranking.index(docid) for ranking in rankings) / len(rankings) for docid in DOCIDS}
    assert sorted(merged) == DOCIDS
    assert [mean[docid] for docid in merged] == sorted(mean.values())


@given(st.lists(st.lists(st.sampled_from(DOCIDS), unique=True, min_size=1), min_size=1, max_size=7))
def test_partial_rankings_merge_as_if_what_they_leave_out_shared_their_last_ranks(rankings: list[list[str]]) -> None:
    named = {docid for ranking in rankings for docid in ranking}
    mean = {
        docid: sum(
            ranking.index(docid) if docid in ranking else (len(ranking) + len(named) - 1) / 2 for ranking in rankings
        )
        for docid in named
    }
    merged = merge_rankings(rankings)
    assert set(merged) == named
    assert [mean[docid] for docid in merged] == sorted(mean.values())


@given(st.permutations(DOCIDS), st.integers(2, 6))
def test_passes_that_agree_keep_their_ranking(ranking: list[str], permutations: int) -> None:
    assert merge_rankings([ranking] * permutations) == ranking


@given(st.text(max_size=8), st.integers(0, 20))
def test_an_order_is_a_shuffle_that_comes_again(query_id: str, number: int) -> None:
    order = shown_order(query_id, number, DOCIDS)
    assert sorted(order) == DOCIDS
    assert order == shown_order(query_id, number, DOCIDS)


def test_first_pass_shows_the_pool_s_order_and_others_spread_every_passage_over_all_places() -> None:
    assert shown_order("q", 0, DOCIDS) == DOCIDS
    places = {shown_order(f"q{query}", 1, DOCIDS).index("d0") for query in range(100)}
    assert places == set(range(8))
