"""The miniature multi-domain collection: its files follow from its source, and each set is of its kind."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from utility_annotation.io.formats import read_answers, read_judgements, read_passages, read_queries
from utility_annotation.settings import Source

SETS = ("arguments", "claims", "facts", "forum-cycling", "forum-garden", "twohop")


@pytest.fixture(scope="module")
def build(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_miniature", root / "resources" / "miniature" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sets(root: Path) -> dict[str, dict[str, Any]]:
    """Each set as our own readers read it."""
    found = {}
    for name in SETS:
        folder = root / "resources" / "miniature" / name
        read = {
            "passages": {row.docid: row.text for row in read_passages(_source(folder / "corpus.jsonl"))},
            "queries": {row.query_id: row.text for row in read_queries(_source(folder / "queries.jsonl"))},
            "relevant": {},
            "answers": {},
        }
        for row in read_judgements(_source(folder / "qrels" / "test.tsv")):
            read["relevant"].setdefault(row.query_id, {})[row.docid] = row.grade
        if (folder / "answers.jsonl").is_file():
            answers = read_answers(Source(format="jsonl", path=str(folder / "answers.jsonl")))
            read["answers"] = {row.query_id: row.answers for row in answers}
        found[name] = read
    return found


def _source(path: Path) -> Source:
    return Source(format="beir", path=str(path))


def test_the_files_follow_from_the_source(root: Path, build: ModuleType) -> None:
    sources = build.load_source()
    assert tuple(sources) == SETS
    for name, source in sources.items():
        for rows in (source["passages"], source["queries"]):
            assert len({row["id"] for row in rows}) == len(rows)
        for path, text in build.render(name, source).items():
            written = (root / "resources" / "miniature" / path).read_text("utf-8")
            assert written == text, "run: python resources/miniature/build.py"


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_small_and_its_passages_short(sets: dict[str, dict[str, Any]], name: str) -> None:
    passages, queries = sets[name]["passages"], sets[name]["queries"]
    assert 24 <= len(passages) <= 36
    assert 8 <= len(queries) <= 10
    assert len(set(passages.values())) == len(passages)
    assert len(set(queries.values())) == len(queries)
    for docid, text in passages.items():
        assert 30 <= len(text.split()) <= 80, docid


@pytest.mark.parametrize("name", SETS)
def test_every_query_has_a_relevant_passage_of_its_set_and_a_third_only_distract(
    sets: dict[str, dict[str, Any]], name: str
) -> None:
    found = sets[name]
    assert set(found["relevant"]) == set(found["queries"])
    judged = {docid for relevant in found["relevant"].values() for docid in relevant}
    assert judged <= set(found["passages"])
    assert len(judged) <= 2 * len(found["passages"]) / 3


@pytest.mark.parametrize("name", ["facts", "twohop"])
def test_each_answer_stands_in_a_relevant_passage(sets: dict[str, dict[str, Any]], name: str) -> None:
    found = sets[name]
    assert set(found["answers"]) == set(found["queries"])
    for query_id, answers in found["answers"].items():
        assert answers
        texts = [found["passages"][docid] for docid in found["relevant"][query_id]]
        for answer in answers:
            assert any(answer in text for text in texts), (query_id, answer)


def test_two_hops_need_two_passages(sets: dict[str, dict[str, Any]]) -> None:
    assert {len(relevant) for relevant in sets["twohop"]["relevant"].values()} == {2}


@pytest.mark.parametrize("name", [name for name in SETS if name != "arguments"])
def test_only_arguments_name_queries_like_passages(sets: dict[str, dict[str, Any]], name: str) -> None:
    assert not set(sets[name]["queries"]) & set(sets[name]["passages"])


def test_an_argument_asks_for_another_passage_than_itself(sets: dict[str, dict[str, Any]]) -> None:
    found = sets["arguments"]
    for query_id, text in found["queries"].items():
        assert found["passages"][query_id] == text
        assert len(found["relevant"][query_id]) == 1
        assert query_id not in found["relevant"][query_id]


@pytest.mark.parametrize("name", ["forum-cycling", "forum-garden"])
def test_a_forum_query_has_one_to_three_duplicates_of_two_grades(sets: dict[str, dict[str, Any]], name: str) -> None:
    relevant = sets[name]["relevant"].values()
    assert {len(grades) for grades in relevant} <= {1, 2, 3}
    assert {grade for grades in relevant for grade in grades.values()} == {1, 2}
