"""MS MARCO QA's JSON by columns."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import msmarco_qa

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
ANSWER = TEXT.filter(lambda text: text.strip() != msmarco_qa.NO_ANSWER)


def write(path: Path, **columns: dict) -> Path:
    """A document as published: columns in the alphabet's order, the passages before the ids."""
    path.write_bytes(orjson.dumps(columns, option=orjson.OPT_SORT_KEYS))
    return path


@settings(max_examples=50)
@given(rows=st.dictionaries(st.integers(0, 10**9), st.tuples(TEXT, st.lists(ANSWER)), max_size=12))
def test_round_trip(rows: dict[int, tuple[str, list[str]]], tmp_path_factory) -> None:
    path = write(
        tmp_path_factory.mktemp("qa") / "a.json",
        query_id={str(number): query_id for number, query_id in enumerate(rows)},
        query={str(number): query for number, (query, _) in enumerate(rows.values())},
        answers={str(number): answers for number, (_, answers) in enumerate(rows.values())},
        passages={str(number): [{"is_selected": 0, "passage_text": "x", "url": "y"}] for number in range(len(rows))},
        wellFormedAnswers={str(number): "[]" for number in range(len(rows))},
    )
    assert {row.query_id: row.text for row in msmarco_qa.read_queries(path)} == {
        str(query_id): query for query_id, (query, _) in rows.items()
    }
    assert {row.query_id: row.answers for row in msmarco_qa.read_answers(path)} == {
        str(query_id): answers for query_id, (_, answers) in rows.items()
    }


def test_rows_are_joined_by_key_and_not_by_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", query_id={"0": 7, "1": 8, "10": 9}, query={"0": "a", "1": "b", "10": "c"})
    swapped = path.read_bytes().replace(b'"0":"a","1":"b"', b'"1":"b","0":"a"')
    path.write_bytes(swapped)
    assert list(msmarco_qa.read_queries(path)) == [(1, "8", "b"), (2, "7", "a"), (3, "9", "c")]


@pytest.mark.parametrize(
    ("published", "read"),
    [
        (["No Answer Present."], []),
        (["No Answer Present.", "Paris"], []),
        (["Paris", " No Answer Present. "], []),
        ([""], []),
        ([], []),
        (["no answer present in the text"], ["no answer present in the text"]),
    ],
)
def test_what_is_no_answer(tmp_path: Path, published: list[str], read: list[str]) -> None:
    path = write(tmp_path / "a.json", query_id={"0": 1}, answers={"0": published})
    assert list(msmarco_qa.read_answers(path)) == [(1, "1", read)]


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (
            {"query_id": {"0": 1}, "answers": {"0": ["a"], "1": ["b"]}},
            "item 2: row '1' has `answers` and no `query_id`",
        ),
        ({"query_id": {"0": 1, "1": 2}, "answers": {"0": ["a"]}}, "2 rows of `query_id` and 1 of `answers`"),
        ({"query_id": {"0": 1, "1": None}, "answers": {}}, "item 2: `query_id` is missing"),
        ({"query_id": {"0": 1}, "answers": {"0": "Paris"}}, "item 1: `answers` is str 'Paris', not a list"),
    ],
)
def test_bad_rows(tmp_path: Path, columns: dict, problem: str) -> None:
    with pytest.raises(InputError, match=rf"a\.json(, |: ).*{problem}.* Fix: "):
        list(msmarco_qa.read_answers(write(tmp_path / "a.json", **columns)))
