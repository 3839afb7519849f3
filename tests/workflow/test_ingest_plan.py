"""A dataset in others' formats goes through the workflow, and a setting makes stale what depends on it alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from workflow_copy import copy_of_repository, planned, snakemake

from utility_annotation.io.schemas import ANSWERS, CORPUS, QRELS, QUERIES

pytestmark = pytest.mark.snakemake

FILES = ["corpus", "queries/train", "qrels/train", "answers/train"]
TARGETS = [f"data/tiny/{name}.parquet" for name in FILES]


def configure(folder: Path, titles: bool = True, **split: object) -> None:
    """A configuration of DPR's files alone."""
    source = {"format": "dpr", "path": "raw/train.json"}
    answers = {"format": "jsonl", "path": "raw/answers.jsonl"}
    sections = {
        "corpus": {"format": "dpr", "path": "raw/psgs.tsv"},
        "titles": titles,
        "splits": {"train": {"queries": source, "qrels": source, "answers": answers, **split}},
    }
    (folder / "config" / "config.yaml").write_text(json.dumps({"models": {}, "datasets": {"tiny": sections}}))


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the workflow whose dataset is ingested: of three questions two have an answer."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("ingest"))
    (folder / "raw").mkdir()
    (folder / "raw" / "psgs.tsv").write_bytes(b"id\ttext\ttitle\n1\tone\tOne\n2\ttwo\tTwo\n")
    questions = [{"question": f"{number}?", "positive_ctxs": [{"passage_id": "1"}]} for number in (1, 2, 3)]
    (folder / "raw" / "train.json").write_text(json.dumps(questions))
    answers = [{"query_id": "1", "answers": ["a"]}, {"query_id": "3", "answers": ["b"]}]
    (folder / "raw" / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    configure(folder, answered_only=True, unknown_queries="drop")
    done = snakemake(folder, "--cores", "1", *TARGETS)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


def test_what_is_ingested(folder: Path) -> None:
    corpus, queries, qrels, answers = (folder / target for target in TARGETS)
    assert CORPUS.read(corpus)["title"].to_pylist() == ["One", "Two"]
    assert QUERIES.read(queries)["query_id"].to_pylist() == ["1", "3"]
    assert QRELS.read(qrels)["query_id"].to_pylist() == ["1", "3"]
    assert ANSWERS.read(answers)["answers"].to_pylist() == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("titles", "split", "stale"),
    [
        (False, {"answered_only": True, "unknown_queries": "drop"}, {"corpus", "qrels"}),
        (True, {"answered_only": True}, {"qrels", "answers"}),
        (True, {"unknown_queries": "drop", "unknown_passages": "keep"}, {"queries", "qrels", "answers"}),
    ],
)
def test_what_a_setting_makes_stale(folder: Path, titles: bool, split: dict, stale: set[str]) -> None:
    configure(folder, titles, **split)
    assert set(planned(folder, *TARGETS)) == {f"ingest_{what}" for what in stale}


def test_questions_depend_on_the_answers_that_choose_them(folder: Path) -> None:
    configure(folder, answered_only=True, unknown_queries="drop")
    assert planned(folder, *TARGETS) == {}
    (folder / "raw" / "answers.jsonl").write_text('{"query_id": "2", "answers": ["c"]}\n')
    assert set(planned(folder, *TARGETS)) == {"ingest_queries", "ingest_qrels", "ingest_answers"}
