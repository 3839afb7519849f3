"""Which questions are shown: few, of every group some, and always the same."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.reporting.cards import choose

GROUPS = st.sets(st.sampled_from("abcde"), min_size=1)
QUESTIONS = st.dictionaries(st.text(max_size=4), GROUPS, max_size=40)


def chosen(questions: dict[str, set[str]], size: int, seed: int = 13) -> list[str]:
    groups: dict[str, list[str]] = {}
    for query_id, of_question in questions.items():
        for group in of_question:
            groups.setdefault(group, []).append(query_id)
    return choose(groups, size, seed)


@given(QUESTIONS, st.integers(0, 50))
def test_as_many_as_asked_for_are_chosen_or_all_there_are(questions: dict[str, set[str]], size: int) -> None:
    found = chosen(questions, size)
    assert len(set(found)) == len(found) == min(size, len(questions))
    assert set(found) <= set(questions)


@given(QUESTIONS, st.integers(5, 50))
def test_every_group_is_seen_where_there_is_room_for_one_of_each(questions: dict[str, set[str]], size: int) -> None:
    seen = {group for query_id in chosen(questions, size) for group in questions[query_id]}
    assert seen == {group for groups in questions.values() for group in groups}


@given(QUESTIONS, st.integers(0, 50), st.randoms())
def test_the_order_in_which_questions_come_changes_nothing(questions: dict[str, set[str]], size: int, random) -> None:
    shuffled = list(questions.items())
    random.shuffle(shuffled)
    assert chosen(dict(shuffled), size) == chosen(questions, size)


def test_a_rare_group_has_as_large_a_share_as_a_common_one() -> None:
    questions = {f"common-{number}": {"common"} for number in range(1000)}
    questions |= {f"rare-{number}": {"rare"} for number in range(10)}
    found = Counter(query_id.partition("-")[0] for query_id in chosen(questions, 12))
    assert found == {"common": 6, "rare": 6}


def test_the_rarest_comes_first_where_there_is_not_room_for_all() -> None:
    questions = {f"common-{number}": {"common"} for number in range(100)} | {"rare": {"rare"}}
    assert chosen(questions, 1) == ["rare"]


def test_another_seed_chooses_others() -> None:
    questions = {str(number): {"all"} for number in range(1000)}
    assert set(chosen(questions, 20, seed=1)) != set(chosen(questions, 20, seed=2))
