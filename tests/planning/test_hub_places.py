"""Files of the hub in a plan: known without a network, made by a rule, and watched at their place."""

from __future__ import annotations

from pathlib import Path

import pytest
from whole import at_places

from utility_annotation.planning import data, labels, pools, refusals, retrieval
from utility_annotation.settings import Configuration

ADDRESSES = {
    "datasets/data/corpus/path": "hub:o/n@v1/zipped.zip/corpus.jsonl",
    "datasets/data/splits/train/qrels": {"format": "parquet", "path": "hub:o/n@v1/qrels/"},
    "pools/rows/source/path": "hub:o/n/train/*.parquet",
    "labels/theirs/file/path": "hub:o/n@v1/qrels/theirs.txt",
    "external_runs/splade/files/dev": "hub:o/runs/dev.trec",
}


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)
    return at_places(ADDRESSES)


def test_every_path_of_data_may_be_an_address(configuration: Configuration) -> None:
    assert set(data.hub_places(configuration, several=False)) == {
        "raw/hub/o/n@v1/zipped.zip",
        "raw/hub/o/n@v1/qrels/theirs.txt",
        "raw/hub/o/runs/dev.trec",
    }
    folders = {
        "raw/hub/o/n@v1/qrels%2F": "hub:o/n@v1/qrels/",
        "raw/hub/o/n/train%2F%2A.parquet": "hub:o/n/train/*.parquet",
    }
    assert set(data.hub_places(configuration, several=True)) == set(folders)
    for place, address in folders.items():
        assert data.hub_address(configuration, hub_place=place) == address


def test_what_is_fetched_is_watched_whether_it_is_there_or_not(configuration: Configuration) -> None:
    def watched() -> list[list[str]]:
        return [
            data.corpus_files(configuration, dataset="data"),
            data.qrels_files(configuration, dataset="data", split="train"),
            pools.source_files(configuration, pool="rows"),
            labels.outside_files(configuration, labels="theirs"),
            retrieval.external_files(configuration, external_run="splade", testset="dev"),
        ]

    due = [
        ["raw/hub/o/n@v1/zipped.zip"],
        ["raw/hub/o/n@v1/qrels%2F"],
        ["raw/hub/o/n/train%2F%2A.parquet"],
        ["raw/hub/o/n@v1/qrels/theirs.txt"],
        ["raw/hub/o/runs/dev.trec"],
    ]
    assert watched() == due
    assert not [file for file in refusals.missing_files(configuration) if "hub" in file]
    for file in ("raw/hub/o/n@v1/qrels%2F/0.parquet", "raw/hub/o/n@v1/qrels/theirs.txt"):
        Path(file).parent.mkdir(parents=True)
        Path(file).touch()
    assert watched() == due
    assert not data.is_given(configuration, "raw/hub/o/n@v1/qrels/theirs.txt")
