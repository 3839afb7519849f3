"""The embedded collection: its files follow from its source, and it is what it claims to be."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from utility_annotation.io.questions import question_key


@pytest.fixture(scope="module")
def build(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_demo", root / "resources" / "demo" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def subjects(build: ModuleType) -> list[dict[str, Any]]:
    return build.load_source()


def test_the_files_follow_from_the_source(root: Path, build: ModuleType, subjects: list[dict[str, Any]]) -> None:
    for name, text in build.render(subjects).items():
        assert (root / "resources" / "demo" / name).read_text("utf-8") == text, "run: python resources/demo/build.py"


def test_passages_are_short_and_subjects_unique(subjects: list[dict[str, Any]]) -> None:
    slugs = [subject["subject"] for subject in subjects]
    assert len(set(slugs)) == len(slugs)
    passages = [passage for subject in subjects for passage in subject["passages"]]
    assert len(passages) >= 300
    for passage in passages:
        assert 30 <= len(passage["text"].split()) <= 80, passage["text"]
    assert len({passage["text"] for passage in passages}) == len(passages)


def test_there_are_enough_questions_with_answers(subjects: list[dict[str, Any]]) -> None:
    assert len(subjects) == 48
    for subject in subjects:
        assert sorted(question["split"] for question in subject["questions"]) == ["dev", "dev", "train"]
    for question in _questions(subjects):
        assert question["answers"]
        assert set(question["human"]) <= set(question["useful"])


def test_no_two_questions_differ_in_order_and_function_words_alone(subjects: list[dict[str, Any]]) -> None:
    questions = _questions(subjects)
    assert len({question_key(question["text"]) for question in questions}) == len(questions)


def test_a_second_question_of_a_split_has_a_number_in_its_id(build: ModuleType, subjects: list[dict[str, Any]]) -> None:
    rows = [line.split("\t") for line in build.render(subjects)["msmarco/queries.dev.tsv"].splitlines()]
    dev = [question["text"] for question in subjects[0]["questions"] if question["split"] == "dev"]
    assert rows[:2] == [["bread-baking-dev", dev[0]], ["bread-baking-dev-2", dev[1]]]
    assert len({query_id for query_id, _ in rows}) == len(rows) == 96


def test_every_training_question_has_seven_hard_negatives_that_do_not_answer_it(
    root: Path, subjects: list[dict[str, Any]]
) -> None:
    useful = {
        f"{subject['subject']}-train": {f"{subject['subject']}-{number}" for number in question["useful"]}
        for subject in subjects
        for question in subject["questions"]
        if question["split"] == "train"
    }
    rows = (root / "resources" / "demo" / "tevatron" / "train.jsonl").read_text("utf-8").splitlines()
    assert len(rows) == len(useful)
    for row in map(json.loads, rows):
        negatives = {passage["docid"] for passage in row["negative_passages"]}
        assert len(negatives - useful[row["query_id"]]) >= 7
        assert not negatives & {passage["docid"] for passage in row["positive_passages"]}


def _questions(subjects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [question for subject in subjects for question in subject["questions"]]
