"""Plans and real runs with downloads: what is fetched, unpacked, linked, or taken as it lies there."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from workflow_copy import copy_of_repository, planned, snakemake

CORPUS = b"".join(b"d%d\tpassage %d\n" % (number, number) for number in range(3))
QUERIES = b"q1\tquestion\n"
TARGETS = ("data/tarred/corpus.parquet", "data/zipped/corpus.parquet", "data/plain/corpus.parquet")


def make_publisher(folder: Path) -> dict[str, dict[str, str]]:
    """Files that a publisher serves, as a section `downloads`; two of them have files of the same names."""
    folder.mkdir()
    (folder / "collection.tsv").write_bytes(CORPUS)
    (folder / "queries.tsv").write_bytes(QUERIES)
    with tarfile.open(folder / "both.tar.gz", "w:gz") as tar:
        tar.add(folder / "collection.tsv", "./in/collection.tsv")
        tar.add(folder / "queries.tsv", "queries.tsv")
    with zipfile.ZipFile(folder / "beir.zip", "w") as archive:
        archive.writestr("beir/corpus.jsonl", '{"_id": "d1", "title": "", "text": "passage"}\n')
    rows = [{"query_id": "q1", "query": "question", "positive_passages": [], "negative_passages": []}]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = {"t.1": "both.tar.gz", "z": "beir.zip", "p": "collection.tsv", "q": "queries.tsv", "rows": "train.jsonl"}
    return {
        name: {
            "url": f"file://{folder}/{file}",
            "md5": hashlib.md5((folder / file).read_bytes()).hexdigest(),
        }
        for name, file in names.items()
    }


def make_configuration(downloads: dict[str, dict[str, str]]) -> dict[str, object]:
    queries = {"format": "msmarco", "path": "raw/t.1/queries.tsv"}

    def dataset(**corpus: str) -> dict[str, object]:
        return {"corpus": corpus, "splits": {"train": {"queries": queries}}}

    return {
        "models": {},
        "downloads": downloads,
        "datasets": {
            "tarred": dataset(format="msmarco", path="raw/t.1/in/collection.tsv"),
            "zipped": dataset(format="beir", path="raw/z/beir.zip/beir/corpus.jsonl"),
            "plain": dataset(format="msmarco", path="raw/p/collection.tsv"),
        },
        "pools": {"rows": {"dataset": "tarred", "source": {"format": "tevatron", "path": "raw/rows/train.jsonl"}}},
        "labels": {
            "mine": {"pool": "rows", "source": "file", "file": {"format": "msmarco", "path": "raw/t.1/qrels.tsv"}}
        },
    }


@pytest.fixture
def workflow(root: Path, tmp_path: Path) -> Path:
    """The workflow in a folder of its own, with the configuration as own.json."""
    folder = tmp_path / "workflow"
    folder.mkdir()
    copy_of_repository(root, folder)
    write_configuration(folder, make_configuration(make_publisher(tmp_path / "publisher")))
    return folder


def write_configuration(folder: Path, configuration: dict[str, object]) -> None:
    (folder / "own.json").write_text(json.dumps(configuration))


def plan(folder: Path, *targets: str) -> dict[str, int]:
    return dict(planned(folder, *targets, "--configfile", "own.json"))


def run(folder: Path, *targets: str) -> None:
    result = snakemake(folder, "--cores", "1", *targets, "--configfile", "own.json")
    assert result.returncode == 0, result.stderr + result.stdout


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_what_is_not_there_is_planned_to_be_fetched_and_unpacked(workflow: Path) -> None:
    assert plan(workflow, *TARGETS) == {"fetch": 3, "unpack": 1, "ingest_corpus": 3}
    assert plan(workflow, "data/tarred/queries/train.parquet") == {"fetch": 1, "unpack": 1, "ingest_queries": 1}


def test_a_pool_and_labels_are_made_from_downloads(workflow: Path) -> None:
    jobs = plan(workflow, "results/labels/mine.parquet")
    assert jobs == {"fetch": 2, "unpack": 1, "build_pool_rows": 1, "merge_labels": 1}


def test_the_chain_runs_once_and_then_nothing_is_left_to_do(workflow: Path) -> None:
    run(workflow, *TARGETS)
    assert (workflow / "raw/t.1/in/collection.tsv").read_bytes() == CORPUS
    assert not (workflow / "raw/t.1/queries.tsv").exists()
    assert plan(workflow, *TARGETS) == {}


def test_a_file_that_the_user_put_there_is_taken_as_it_is(workflow: Path) -> None:
    put(workflow / "raw/p/collection.tsv", b"own\tpassage\n")
    put(workflow / "raw/z/beir.zip", b"own")
    put(workflow / "raw/t.1/both.tar.gz", b"own")
    assert plan(workflow, *TARGETS) == {"unpack": 1, "ingest_corpus": 3}


def test_a_member_is_taken_as_it_is_while_its_archive_is_not_there(workflow: Path) -> None:
    put(workflow / "raw/t.1/in/collection.tsv", CORPUS)
    assert plan(workflow, TARGETS[0]) == {"ingest_corpus": 1}


def test_an_archive_may_be_removed_once_it_is_unpacked(workflow: Path) -> None:
    run(workflow, TARGETS[0])
    (workflow / "raw/t.1/both.tar.gz").unlink()
    assert plan(workflow, TARGETS[0]) == {}


def test_another_checksum_makes_the_file_stale(workflow: Path) -> None:
    run(workflow, TARGETS[2])
    configuration = json.loads((workflow / "own.json").read_text())
    configuration["downloads"]["p"]["md5"] = "0" * 32
    write_configuration(workflow, configuration)
    assert plan(workflow, TARGETS[2]) == {"fetch": 1, "ingest_corpus": 1}
    result = snakemake(workflow, "--cores", "1", TARGETS[2], "--configfile", "own.json")
    assert result.returncode != 0
    assert "not the published 00000000" in result.stdout + result.stderr


def test_a_local_copy_is_linked_and_a_missing_one_stops_the_plan(workflow: Path) -> None:
    configuration = json.loads((workflow / "own.json").read_text())
    configuration["downloads"]["p"] |= {"url": "https://publisher.invalid/collection.tsv", "local": "copy.tsv"}
    write_configuration(workflow, configuration)
    result = snakemake(workflow, "-n", TARGETS[2], "--configfile", "own.json")
    assert result.returncode != 0
    assert "copy.tsv" in result.stdout + result.stderr
    put(workflow / "copy.tsv", CORPUS)
    run(workflow, TARGETS[2])
    assert (workflow / "raw/p/collection.tsv").readlink() == workflow / "copy.tsv"
    assert plan(workflow, TARGETS[2]) == {}


@pytest.mark.parametrize("target", ["raw/p/queries.tsv", "raw/z/collection.tsv", "raw/other/collection.tsv"])
def test_no_rule_claims_what_a_download_does_not_hold(workflow: Path, target: str) -> None:
    result = snakemake(workflow, "-n", target, "--configfile", "own.json")
    assert "MissingRuleException" in result.stdout + result.stderr


def test_the_paper_is_planned_from_its_publishers_on(workflow: Path) -> None:
    targets = ("raw/msmarco-passage/collection.tsv", "data/fiqa/corpus.parquet", "data/msmarco/corpus.parquet")
    jobs = planned(workflow, *targets, "--configfile", "config/paper.yaml")
    assert jobs == {"fetch": 2, "unpack": 1, "ingest_corpus": 2}
