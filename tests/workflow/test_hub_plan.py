"""Plans and a real run with data sets that are named by their addresses on the Hugging Face hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import local_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import workflow_copy
from workflow_copy import copy_of_repository, snakemake

from utility_annotation.io.schemas import CORPUS, POOL, QRELS, iter_rows

pytestmark = pytest.mark.snakemake

TARGETS = ("data/small/corpus.parquet", "data/small/qrels/train.parquet", "results/pools/rows/0000-of-0001.parquet")
ARGUMENTS = (*TARGETS, "--configfile", "own.json")
IDS = {"docid": "_id"}


def configuration() -> dict[str, Any]:
    queries = {"format": "parquet", "path": "hub:o/small@v1/queries/*.parquet", "columns": {"query_id": "_id"}}
    return {
        "models": {},
        "datasets": {
            "small": {
                "corpus": {"format": "parquet", "path": "hub:o/small@v1/corpus/", "columns": IDS},
                "splits": {
                    "train": {
                        "queries": queries,
                        "qrels": {"format": "beir", "path": "hub:o/small@v1/corpus/train.tsv"},
                    }
                },
            }
        },
        "pools": {
            "rows": {"dataset": "small", "source": {"format": "tevatron-ids", "path": "hub:o/small@v1/rows.parquet"}}
        },
    }


def write_repository(folder: Path) -> Path:
    """Corpus, questions and training rows as parquet, and judgements beside the corpus."""
    rows: dict[str, dict[str, list[Any]]] = {
        "corpus/0": {"_id": ["d1"], "title": [""], "text": ["one"]},
        "corpus/1": {"_id": ["d2"], "title": ["Two"], "text": ["two"]},
        "queries/0": {"_id": ["q1"], "text": ["which?"]},
        "rows": {
            "query_id": ["q1"],
            "query_text": ["which?"],
            "positive_document_ids": [["d1"]],
            "negative_document_ids": [["d2"]],
        },
    }
    for name, columns in rows.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    (folder / "corpus" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return folder


@pytest.fixture
def workflow(root: Path, tmp_path: Path) -> Path:
    """The workflow in a folder of its own, with the configuration as own.json."""
    (folder := tmp_path / "workflow").mkdir()
    copy_of_repository(root, folder)
    (folder / "own.json").write_text(json.dumps(configuration()))
    return folder


def test_files_of_the_hub_are_planned_without_a_network_fetched_once_and_read(
    workflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in local_hub.HIDDEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    before = workflow_copy.plan(workflow, *ARGUMENTS)
    assert before.needed_for(TARGETS[0]) == {"fetch_hub_folder": 1, "ingest_corpus": 1}
    assert (before.rules["fetch_hub_folder"], before.rules["fetch_hub_file"]) == (2, 2)
    with local_hub.hub_of(write_repository(tmp_path / "repository")) as (endpoint, _):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        result = snakemake(workflow, "--cores", "1", *ARGUMENTS)
    assert result.returncode == 0, result.stderr + result.stdout
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert workflow_copy.planned(workflow, *ARGUMENTS) == {}
    corpus, qrels, pool = (workflow / target for target in TARGETS)
    assert [(row["docid"], row["title"]) for row in iter_rows(CORPUS, [corpus])] == [("d1", None), ("d2", "Two")]
    assert [(row["query_id"], row["docid"]) for row in iter_rows(QRELS, [qrels])] == [("q1", "d1")]
    assert {each["docid"] for row in iter_rows(POOL, [pool]) for each in row["candidates"]} == {"d1", "d2"}


def test_a_file_that_the_user_put_there_is_taken_as_it_is(workflow: Path) -> None:
    put = workflow / "raw/hub/o/small@v1/corpus%2F"
    put.mkdir(parents=True)
    pq.write_table(pa.table({"_id": ["d1"], "text": ["own"]}), put / "own.parquet")
    assert workflow_copy.planned(workflow, TARGETS[0], *ARGUMENTS[3:]) == {"ingest_corpus": 1}


def test_a_download_cannot_have_the_name_of_the_hub(workflow: Path) -> None:
    taken = configuration() | {"downloads": {"hub": {"url": "https://host/file.tsv"}}}
    (workflow / "own.json").write_text(json.dumps(taken))
    result = snakemake(workflow, "-n", *ARGUMENTS)
    assert result.returncode != 0
    assert "downloads.hub: this name is reserved" in result.stdout + result.stderr
