"""NQ-open's JSON lines, and the form by which a question is known."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import nq_open

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)


def write(path: Path, *rows: object) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(TEXT, st.lists(TEXT))))
def test_round_trip(rows: list[tuple[str, list[str]]], tmp_path_factory) -> None:
    path = write(tmp_path_factory.mktemp("nq") / "a.jsonl", *({"question": q, "answer": a} for q, a in rows))
    assert list(nq_open.read_queries(path)) == [(n, str(n), q) for n, (q, _) in enumerate(rows, 1)]
    assert list(nq_open.read_answers(path)) == [(n, nq_open.normalised(q), a) for n, (q, a) in enumerate(rows, 1)]


@pytest.mark.parametrize("question", ["Who won?", "who  won", " WHO\twon ?", "who won??", "who\u00a0won ? "])
def test_copies_of_a_question_are_one(question: str) -> None:
    assert nq_open.normalised(question) == "who won"


@pytest.mark.parametrize("question", ["who won it", "whowon", "who won!", "who? won"])
def test_other_questions_are_others(question: str) -> None:
    assert nq_open.normalised(question) != "who won"


@given(question=st.text())
def test_normalising_again_changes_nothing(question: str) -> None:
    once = nq_open.normalised(question)
    assert nq_open.normalised(once) == once


def test_real_rows(shared_data: Path) -> None:
    path = shared_data / "nq-open" / "NQ-open.dev.jsonl"
    queries, answers = list(nq_open.read_queries(path)), list(nq_open.read_answers(path))
    assert len(queries) == len({row.query_id for row in answers}) == 3610
    assert queries[0] == (1, "1", "when was the last time anyone was on the moon")
    assert answers[0].answers == ["14 December 1972 UTC", "December 1972"]


def test_bad_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"question": "q", "answer": ["a"]}, {"question": "q", "answer": "a"})
    with pytest.raises(InputError, match=r"a\.jsonl, line 2: `answer` is str 'a', not a list"):
        list(nq_open.read_answers(path))
