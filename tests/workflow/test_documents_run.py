"""A corpus of one's own from a folder of documents: planned, made, and made again when a document is added."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import yaml
from workflow_copy import copy_of_repository, fast_environment, planned, snakemake

from utility_annotation.io.schemas import CORPUS, ORIGINS

pytestmark = pytest.mark.snakemake

FILES = ("--configfile", "config/own-corpus.yaml", "config/edited.yaml")
CORPUS_FILE = "data/own/corpus.parquet"
SHARDS = 4


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with a folder of documents, one of which cannot be read."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("documents"))
    own = folder / "raw" / "own" / "documents"
    own.mkdir(parents=True)
    for number in range(8):
        (own / f"guide {number}.md").write_text(f"# Guide {number}\n\n## Part\n\nThis is guide number {number}.\n")
    (own / "page.html").write_text("<title>Page</title><h1>Page</h1><p>This is a page of its own.</p>")
    (own / "broken.pdf").write_text("%PDF-1.7")
    (folder / "raw" / "own" / "questions.jsonl").write_text('{"query_id": "q", "text": "which guide?"}\n')
    documents = {"path": "raw/own/documents", "tokenizer": "retriever", "shards": SHARDS}
    (folder / "config" / "edited.yaml").write_text(
        yaml.safe_dump({"datasets": {"own": {"corpus": None, "documents": documents}}})
    )
    result = snakemake(folder, CORPUS_FILE, "--cores", "2", *FILES, having=fast_environment)
    assert result.returncode == 0, result.stderr[-6000:] + result.stdout[-2000:]
    return folder


def test_passages_say_where_they_are_from(workflow: Path) -> None:
    corpus = CORPUS.read(workflow / CORPUS_FILE).to_pylist()
    origins = ORIGINS.read(workflow / "data/own/origins.parquet").to_pylist()
    assert len(corpus) == 9
    assert {row["file"] for row in origins} == {"page.html", *(f"guide {number}.md" for number in range(8))}
    assert {row["docid"].split("#")[0] for row in corpus} >= {"guide%207.md", "page.html"}
    assert ("Guide 7 › Part", "This is guide number 7.") in {(row["title"], row["text"]) for row in corpus}


def test_what_became_of_each_file_is_listed(workflow: Path) -> None:
    with (workflow / "results/documents/own.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert len(rows) == 10
    assert rows["broken.pdf"]["outcome"] == "unreadable"
    assert "broken" in rows["broken.pdf"]["reason"]
    assert rows["page.html"]["passages"] == "1"


def test_a_copy_of_the_same_files_makes_nothing_stale_and_a_new_file_its_shard(workflow: Path) -> None:
    own = workflow / "raw" / "own" / "documents"
    assert not planned(workflow, CORPUS_FILE, *FILES)
    os.utime(own / "page.html", (1, 1))
    assert not planned(workflow, CORPUS_FILE, *FILES)
    (own / "new.md").write_text("# New\n\nA new document.\n")
    try:
        assert planned(workflow, CORPUS_FILE, *FILES) == {"ingest_documents": 1, "ingest_passages": 1}
    finally:
        (own / "new.md").unlink()


def test_the_whole_is_planned_from_documents(workflow: Path) -> None:
    found = planned(workflow, "own", *FILES, "--forceall")
    assert (found["ingest_documents"], found["ingest_passages"], found["ingest_corpus"]) == (SHARDS, 1, 0)


def test_a_folder_that_is_not_there_is_told_before_anything_runs(root: Path, tmp_path: Path) -> None:
    folder = copy_of_repository(root, tmp_path)
    documents = {"path": "raw/nowhere", "tokenizer": "retriever"}
    (folder / "config" / "edited.yaml").write_text(
        yaml.safe_dump({"datasets": {"own": {"corpus": None, "documents": documents}}})
    )
    result = snakemake(folder, CORPUS_FILE, "-n", *FILES)
    assert result.returncode != 0
    assert "raw/nowhere, which `datasets.own.documents.path` names, is not there" in result.stdout
