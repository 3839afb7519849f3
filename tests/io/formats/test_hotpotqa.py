"""HotpotQA's JSON list."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import hotpotqa

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
ID = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"]), min_size=1)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(ID, TEXT, TEXT)))
def test_round_trip(rows: list[tuple[str, str, str]], tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("hotpotqa") / "a.json"
    path.write_bytes(
        orjson.dumps([{"_id": i, "question": q, "answer": a, "context": [["t", ["s"]]]} for i, q, a in rows])
    )
    assert [row[1:] for row in hotpotqa.read_queries(path)] == [(i, q) for i, q, _ in rows]
    assert [row[1:] for row in hotpotqa.read_answers(path)] == [(i, [a]) for i, _, a in rows]


def test_real_rows(shared_data: Path) -> None:
    path = shared_data / "hotpotqa-100" / "hotpotqa_train.json"
    queries, answers = list(hotpotqa.read_queries(path)), list(hotpotqa.read_answers(path))
    assert queries[0] == (1, "5a77ec115542992a6e59dff7", "If Gallu is a demon Lilu is what?")
    assert answers[0] == (1, "5a77ec115542992a6e59dff7", ["a spirit"])
    assert len({row.query_id for row in queries}) == len(answers) == 100


def test_a_question_without_an_answer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(orjson.dumps([{"_id": "1", "question": "q", "answer": "a"}, {"_id": "2", "question": "q"}]))
    with pytest.raises(InputError, match=r"a\.json, item 2: `answer` is missing"):
        list(hotpotqa.read_answers(path))
