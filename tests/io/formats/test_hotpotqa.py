"""HotpotQA's JSON list and parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import hotpotqa

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
ID = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"]), min_size=1)
A, B, C = ["A", ["First.", " Second."]], ["B", ["Only."]], ["C", ["First.", " Second."]]


def row(number: int, context: list, *supports: tuple[str, int]) -> dict[str, Any]:
    facts = [list(support) for support in supports]
    return {"_id": f"q{number}", "question": "q?", "answer": "a", "supporting_facts": facts, "context": context}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_bytes(orjson.dumps(rows))
    return path


def write_parquet(path: Path, *rows: dict[str, Any]) -> Path:
    """As the hub has it: the id is `id`, pairs are structs of lists."""
    made = []
    for each in rows:
        titles, sentences = zip(*each["context"], strict=True)
        names, numbers = zip(*each["supporting_facts"], strict=True)
        facts = {"title": list(names), "sent_id": list(numbers)}
        context = {"title": list(titles), "sentences": list(sentences)}
        made.append({"id": each["_id"], **each, "supporting_facts": facts, "context": context})
        del made[-1]["_id"]
    pq.write_table(pa.Table.from_pylist(made), path)
    return path


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(ID, TEXT, TEXT)))
def test_round_trip(rows: list[tuple[str, str, str]], tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("hotpotqa") / "a.json"
    path.write_bytes(
        orjson.dumps([{"_id": i, "question": q, "answer": a, "context": [["t", ["s"]]]} for i, q, a in rows])
    )
    assert [row[1:] for row in hotpotqa.read_queries(path)] == [(i, q) for i, q, _ in rows]
    assert [row[1:] for row in hotpotqa.read_answers(path)] == [(i, [a]) for i, _, a in rows]


@pytest.mark.parametrize("writer", [write, write_parquet])
def test_passages_are_there_once_and_supports_are_judgements(tmp_path: Path, writer) -> None:
    path = writer(tmp_path / "a", row(1, [A, B], ("A", 0), ("A", 1)), row(2, [B, C, A], ("C", 0), ("B", 0)))
    passages = {passage.title: passage for passage in hotpotqa.read_passages(path)}
    assert [(passage.line, passage.title, passage.text) for passage in passages.values()] == [
        (1, "A", "First. Second."),
        (1, "B", "Only."),
        (2, "C", "First. Second."),
    ]
    assert len({passage.docid for passage in passages.values()}) == 3
    assert [(each.query_id, each.docid, each.grade) for each in hotpotqa.read_judgements(path)] == [
        ("q1", passages["A"].docid, 1),
        ("q2", passages["B"].docid, 1),
        ("q2", passages["C"].docid, 1),
    ]
    assert [query.query_id for query in hotpotqa.read_queries(path)] == ["q1", "q2"]
    assert [answers.answers for answers in hotpotqa.read_answers(path)] == [["a"], ["a"]]


def test_a_docid_depends_on_title_and_text_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", row(1, [A]))
    (passage,) = hotpotqa.read_passages(path)
    (again,) = hotpotqa.read_passages(write(tmp_path / "b.json", row(7, [["A", ["First.", "Second."]]])))
    assert passage.docid == again.docid == "8f5febe33f38e58f"


def test_several_files_of_parquet_are_one_set(tmp_path: Path) -> None:
    for number in (1, 2):
        write_parquet(tmp_path / f"{number}.parquet", row(number, [A, B], ("A", 0)))
    for path in (tmp_path, tmp_path / "*.parquet"):
        assert [(query.line, query.query_id) for query in hotpotqa.read_queries(path)] == [(1, "q1"), (2, "q2")]
        assert [passage.title for passage in hotpotqa.read_passages(path)] == ["A", "B"]


def test_real_rows(shared_data: Path) -> None:
    path = shared_data / "hotpotqa-100" / "hotpotqa_train.json"
    queries, answers = list(hotpotqa.read_queries(path)), list(hotpotqa.read_answers(path))
    assert queries[0] == (1, "5a77ec115542992a6e59dff7", "If Gallu is a demon Lilu is what?")
    assert answers[0] == (1, "5a77ec115542992a6e59dff7", ["a spirit"])
    assert len({row.query_id for row in queries}) == len(answers) == 100
    passages, judged = list(hotpotqa.read_passages(path)), list(hotpotqa.read_judgements(path))
    assert len(passages) == 994
    assert len(judged) == 200, "two supports per question"
    titles = {passage.docid: passage.title for passage in passages}
    assert {titles[each.docid] for each in judged[:2]} == {"Alû", "Lilu (mythology)"}


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({"context": None}, "`context` is no list of pairs of title and sentences"),
        ({"context": [["A", "First."]]}, "a passage of `context` has no list of sentences"),
        ({"context": [["A"]]}, "`context` is no list of pairs"),
        ({"supporting_facts": [["Z", 0]]}, "`supporting_facts` names 'Z', which is no passage of `context`"),
        ({"supporting_facts": "A"}, "`supporting_facts` is no list of pairs of title and sent_id"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, bad: dict[str, Any], problem: str) -> None:
    path = write(tmp_path / "a.json", row(1, [A], ("A", 0)), row(2, [A], ("A", 0)) | bad)
    with pytest.raises(InputError, match=rf"a\.json, item 2: {problem}.* Fix: "):
        list(hotpotqa.read_judgements(path))


def test_a_question_without_an_answer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(orjson.dumps([{"_id": "1", "question": "q", "answer": "a"}, {"_id": "2", "question": "q"}]))
    with pytest.raises(InputError, match=r"a\.json, item 2: `answer` is missing"):
        list(hotpotqa.read_answers(path))
