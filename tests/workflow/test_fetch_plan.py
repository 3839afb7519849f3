"""Plans and real runs with downloads: what is fetched, unpacked, linked, or taken as it lies there."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
import workflow_copy
from workflow_copy import Plan, copy_of_repository, planned, snakemake

pytestmark = pytest.mark.snakemake

CORPUS = b"".join(b"d%d\tpassage %d\n" % (number, number) for number in range(3))
QUERIES = b"q1\tquestion\n"
TARGETS = ("data/tarred/corpus.parquet", "data/zipped/corpus.parquet", "data/plain/corpus.parquet")
QUERIES_FILE = "data/tarred/queries/train.parquet"
LABELS = "results/labels/mine.parquet"


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


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    return make_publisher(tmp_path_factory.mktemp("web") / "publisher")


@pytest.fixture
def workflow(root: Path, tmp_path: Path, publisher: dict[str, dict[str, str]]) -> Path:
    """The workflow in a folder of its own, with the configuration as own.json."""
    write_configuration(copy_of_repository(root, tmp_path), make_configuration(publisher))
    return tmp_path


@pytest.fixture(scope="module")
def finished(
    root: Path, tmp_path_factory: pytest.TempPathFactory, publisher: dict[str, dict[str, str]]
) -> tuple[Path, Plan]:
    """The same after a run of everything, with the plan of that run."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("finished"))
    write_configuration(folder, make_configuration(publisher))
    everything = (*TARGETS, QUERIES_FILE, LABELS)
    before = workflow_copy.plan(folder, *everything, "--configfile", "own.json")
    run(folder, *TARGETS)
    return folder, before


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


def test_what_is_not_there_is_planned_to_be_fetched_and_unpacked(finished: tuple[Path, Plan]) -> None:
    _, before = finished
    assert before.needed_for(*TARGETS) == {"fetch": 3, "unpack": 1, "ingest_corpus": 3}
    assert before.needed_for(QUERIES_FILE) == {"fetch": 1, "unpack": 1, "ingest_queries": 1}


def test_a_pool_and_labels_are_made_from_downloads(finished: tuple[Path, Plan]) -> None:
    _, before = finished
    assert before.needed_for(LABELS) == {"fetch": 2, "unpack": 1, "build_pool_rows": 1, "merge_labels": 1}


def test_the_chain_runs_once_and_then_nothing_is_left_to_do_even_without_the_archive(
    finished: tuple[Path, Plan],
) -> None:
    folder, _ = finished
    assert (folder / "raw/t.1/in/collection.tsv").read_bytes() == CORPUS
    assert not (folder / "raw/t.1/queries.tsv").exists()
    assert plan(folder, *TARGETS) == {}
    archive = folder / "raw/t.1/both.tar.gz"
    archive.rename(folder / "kept")
    try:
        assert plan(folder, *TARGETS) == {}
    finally:
        (folder / "kept").rename(archive)


def test_another_checksum_makes_the_file_stale(finished: tuple[Path, Plan]) -> None:
    folder, _ = finished
    kept = (folder / "own.json").read_text()
    configuration = json.loads(kept)
    configuration["downloads"]["p"]["md5"] = "0" * 32
    write_configuration(folder, configuration)
    try:
        assert plan(folder, *TARGETS) == {"fetch": 1, "ingest_corpus": 1}
        result = snakemake(folder, "--cores", "1", TARGETS[2], "--configfile", "own.json")
    finally:
        (folder / "own.json").write_text(kept)
    assert result.returncode != 0
    assert "not the published 00000000" in result.stdout + result.stderr


@pytest.mark.parametrize("target", ["raw/p/queries.tsv", "raw/z/collection.tsv", "raw/other/collection.tsv"])
def test_no_rule_claims_what_a_download_does_not_hold(finished: tuple[Path, Plan], target: str) -> None:
    folder, _ = finished
    result = snakemake(folder, "-n", target, "--configfile", "own.json")
    assert "MissingRuleException" in result.stdout + result.stderr


def test_a_file_that_the_user_put_there_is_taken_as_it_is(workflow: Path) -> None:
    put(workflow / "raw/p/collection.tsv", b"own\tpassage\n")
    put(workflow / "raw/z/beir.zip", b"own")
    put(workflow / "raw/t.1/both.tar.gz", b"own")
    assert plan(workflow, *TARGETS) == {"unpack": 1, "ingest_corpus": 3}


def test_a_member_is_taken_as_it_is_while_its_archive_is_not_there(workflow: Path) -> None:
    put(workflow / "raw/t.1/in/collection.tsv", CORPUS)
    assert plan(workflow, TARGETS[0]) == {"ingest_corpus": 1}


def test_a_local_copy_is_linked_and_a_missing_one_stops_the_plan(
    workflow: Path, publisher: dict[str, dict[str, str]]
) -> None:
    of_p = publisher["p"] | {"url": "https://publisher.invalid/collection.tsv", "local": "copy.tsv"}
    write_configuration(workflow, make_configuration(publisher | {"p": of_p}))
    result = snakemake(workflow, "-n", TARGETS[2], "--configfile", "own.json")
    assert result.returncode != 0
    assert "copy.tsv" in result.stdout + result.stderr
    put(workflow / "copy.tsv", CORPUS)
    run(workflow, TARGETS[2])
    assert (workflow / "raw/p/collection.tsv").readlink() == workflow / "copy.tsv"
    assert plan(workflow, TARGETS[2]) == {}
