"""Which questions ask the same, and which of a test set were trained on."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.io.questions import FUNCTION_WORDS, find_training_copies, question_key, repeated_queries
from utility_annotation.io.schemas import QUERIES, TRAINING_COPIES


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of France?", "capital of france"),
        ("capital France", "france's capital".replace("'s", "")),
        ("Who wrote 'Emma'", "who WROTE emma???"),
        ("what is it", "What is it?"),
        ("Was ist das Höchste", "was ist das höchste"),
    ],
)
def test_questions_that_ask_the_same(one: str, other: str) -> None:
    assert question_key(one) == question_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("population of paris in 2015", "population of paris in 2016"),
        ("who wrote emma", "who wrote ivanhoe"),
        ("what is it", "who is it"),
        ("is bread with butter healthy", "is butter healthy"),
        ("new york", "new new york"),
    ],
)
def test_questions_that_ask_something_else(one: str, other: str) -> None:
    assert question_key(one) != question_key(other)


WORDS = st.lists(st.sampled_from(["bread", "butter", "rain", "2015"]), min_size=1, max_size=5)


@given(WORDS, st.lists(st.sampled_from(sorted(FUNCTION_WORDS)), max_size=4), st.randoms(use_true_random=False))
def test_order_and_function_words_do_not_count(words: list[str], more: list[str], draw: random.Random) -> None:
    mixed = [word.upper() for word in words + more]
    draw.shuffle(mixed)
    assert question_key(" ,".join(mixed)) == question_key(" ".join(words))


def write(path: Path, questions: dict[str, str]) -> Path:
    QUERIES.write(path, QUERIES.table({"query_id": list(questions), "text": list(questions.values())}))
    return path


def test_each_repeated_question_is_named_once_with_the_training_question(tmp_path: Path) -> None:
    dev = write(tmp_path / "dev.parquet", {"d1": "capital of France?", "d2": "rain in Spain", "d3": "What is rain"})
    training = {
        "first/train": write(tmp_path / "one.parquet", {"t1": "the capital of france", "t2": "France capital"}),
        "other/train": write(tmp_path / "two.parquet", {"t1": "what is France's capital", "t9": "Rain!"}),
    }
    assert find_training_copies(dev, training, tmp_path / "copies.parquet") == 2
    rows = TRAINING_COPIES.read(tmp_path / "copies.parquet").to_pylist()
    assert [(row["query_id"], row["split"], row["training_query_id"]) for row in rows] == [
        ("d1", "first/train", "t1"),
        ("d3", "other/train", "t9"),
    ]
    assert repeated_queries(tmp_path / "copies.parquet") == {"d1", "d3"}


def test_no_copy_leaves_a_file_without_rows(tmp_path: Path) -> None:
    dev = write(tmp_path / "dev.parquet", {"d1": "rain"})
    assert find_training_copies(dev, {"a/b": write(tmp_path / "t.parquet", {"t": "snow"})}, tmp_path / "c.parquet") == 0
    assert repeated_queries(tmp_path / "c.parquet") == set()
