"""Files of data sets that are fetched from a hub over HTTP, and the error where one cannot be had."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import local_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import arguments, write_configuration
from local_hub import COMMIT, hub, hub_of

from utility_annotation.io.formats import read_passages
from utility_annotation.settings import Source
from utility_annotation.settings.hub import HubFiles, hub_files


def write_repository(folder: Path) -> Path:
    """A data set in shards, with files of its own in another folder and a hidden one."""
    for name, docids in {"data/train-0": ["1", "2"], "data/train-1": ["3"], "data/old/train-2": ["9"]}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"docid": docids, "text": ["x"] * len(docids)}), folder / f"{name}.parquet")
    (folder / "qrels.tsv").write_text("q1\t0\t1\t1\n")
    (folder / ".gitattributes").touch()
    return folder


def fetch(root: Path, address: str, output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `prepare.py files`."""
    config = write_configuration(output.with_name("config.yaml"))
    return subprocess.run(
        [
            *(sys.executable, root / "workflow/scripts/prepare.py"),
            *arguments("files", config=config, address=address, output=output),
        ],
        env=local_hub.environment(**environment),
        capture_output=True,
        text=True,
    )


def refused(root: Path, address: str, folder: Path, **environment: str) -> str:
    """The error with which `prepare.py files` ends; nothing is left where the files were to be."""
    job = fetch(root, address, folder / "out", **environment)
    assert job.returncode == 1, job.stderr
    assert not (folder / "out").exists()
    return job.stderr.splitlines()[-1]


@pytest.mark.process
def test_a_file_a_pattern_and_a_folder_are_fetched(root: Path, tmp_path: Path) -> None:
    repository = write_repository(tmp_path / "repository")
    places = {"hub:o/n/qrels.tsv": "file", "hub:o/n@v1/data/*.parquet": "pattern", "hub:o/n@v1/": "everything"}
    with hub_of(repository) as (endpoint, asked):
        for address, name in places.items():
            job = fetch(root, address, tmp_path / name, HF_ENDPOINT=endpoint)
            assert job.returncode == 0, job.stderr
            assert f"@{COMMIT} keeps what was fetched" in job.stderr
    assert (tmp_path / "file").read_bytes() == (repository / "qrels.tsv").read_bytes()
    assert sorted(path.name for path in (tmp_path / "pattern").rglob("*")) == ["train-0.parquet", "train-1.parquet"]
    source = Source(format="parquet", path=str(tmp_path / "pattern"))
    assert [passage.docid for passage in read_passages(source)] == ["1", "2", "3"]
    files = {str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()}
    fetched = {str(path.relative_to(tmp_path / "everything")) for path in (tmp_path / "everything").rglob("*.*")}
    assert fetched == files - {".gitattributes"}
    assert "/api/datasets/o/n/revision/v1" in asked
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.yaml",
        "everything",
        "file",
        "pattern",
        "repository",
    ]


@pytest.mark.process
def test_what_an_earlier_attempt_left_of_another_commit_is_not_kept(root: Path, tmp_path: Path) -> None:
    repository = write_repository(tmp_path / "repository")
    left = tmp_path / ".out.partial" / "data" / "train-7.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes((repository / "data" / "train-1.parquet").read_bytes())
    with hub_of(repository) as (endpoint, _):
        job = fetch(root, "hub:o/n/data/train-*.parquet", tmp_path / "out", HF_ENDPOINT=endpoint)
    assert job.returncode == 0, job.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train-0.parquet", "train-1.parquet"]


@pytest.mark.process
def test_a_damaged_file_is_refused_and_fetched_again(root: Path, tmp_path: Path) -> None:
    repository = write_repository(tmp_path / "repository")
    with hub_of(repository, damaged="qrels.tsv") as (endpoint, _):
        error = refused(root, "hub:o/n/qrels.tsv", tmp_path, HF_ENDPOINT=endpoint)
    assert "hub:o/n/qrels.tsv: this is not the published file: qrels.tsv does not have the hub's checksum" in error
    with hub_of(repository) as (endpoint, _):
        assert fetch(root, "hub:o/n/qrels.tsv", tmp_path / "out", HF_ENDPOINT=endpoint).returncode == 0
    assert (tmp_path / "out").read_bytes() == (repository / "qrels.tsv").read_bytes()


@pytest.mark.process
@pytest.mark.parametrize(
    ("files", "problem", "hint"),
    [
        ("qrels.tvs", "has no file qrels.tvs at commit aaaa.*it has qrels.tsv", "correct what follows the name"),
        ("data", "data is a folder", "write hub:o/n/data/ for all its files"),
        ("dta/*.parquet", r"has no file dta/\*\.parquet", "correct what follows the name"),
    ],
)
def test_a_file_that_is_not_there_is_named_with_what_is(
    root: Path, tmp_path: Path, files: str, problem: str, hint: str
) -> None:
    with hub_of(write_repository(tmp_path / "repository")) as (endpoint, _):
        error = refused(root, f"hub:o/n/{files}", tmp_path, HF_ENDPOINT=endpoint)
    assert re.search(problem, error)
    assert hint in error.partition("Fix:")[2]


@pytest.mark.process
@pytest.mark.parametrize(
    ("status", "code", "problem", "hint"),
    [
        (404, "RepoNotFound", "the hub has no such data set, or it is private", "correct the address hub:o/n@v9/a.tsv"),
        (403, "GatedRepo", "its owner asks for consent first (it is gated; no HF_TOKEN is set)", "/datasets/o/n, then"),
        (404, "RevisionNotFound", "it has no revision 'v9'", "correct what follows @ in hub:o/n@v9/a.tsv"),
    ],
)
def test_a_refusal_names_its_fix(root: Path, tmp_path: Path, status: int, code: str, problem: str, hint: str) -> None:
    with hub(status, code) as endpoint:
        error = refused(root, "hub:o/n@v9/a.tsv", tmp_path, HF_ENDPOINT=endpoint)
    assert error.startswith("error: the hub data set 'o/n' cannot be fetched: ")
    assert problem in error
    assert hint in error.partition("Fix:")[2]


@pytest.mark.process
@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "the hub http://127.0.0.1:9 cannot be reached ("),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids asking the hub"),
    ],
)
def test_without_a_network_the_message_tells_the_way_around(
    root: Path, tmp_path: Path, environment: dict[str, str], problem: str
) -> None:
    error = refused(root, "hub:o/n/data/", tmp_path, **environment)
    assert problem in error
    assert f"(`hf download --repo-type dataset o/n`) and copy data/ to {tmp_path / 'out'}" in error


@pytest.mark.process
def test_a_download_may_come_from_the_hub_and_is_compared_with_its_checksum(root: Path, tmp_path: Path) -> None:
    repository = write_repository(tmp_path / "repository")
    url = f"hub:o/n@{COMMIT}/qrels.tsv"

    def download(**checks: object) -> subprocess.CompletedProcess[str]:
        config = write_configuration(tmp_path / "config.yaml", downloads={"mine": {"url": url, **checks}})
        with hub_of(repository) as (endpoint, _):
            return subprocess.run(
                [
                    *(sys.executable, root / "workflow/scripts/prepare.py"),
                    *arguments("download", config=config, download="mine", output=tmp_path / "qrels.tsv"),
                ],
                env=local_hub.environment(HF_ENDPOINT=endpoint),
                capture_output=True,
                text=True,
            )

    job = download(md5="0" * 32)
    assert job.returncode == 1
    assert "and not the published 00000000" in job.stderr
    assert not (tmp_path / "qrels.tsv").exists()
    job = download(bytes=len("q1\t0\t1\t1\n"))
    assert job.returncode == 0, job.stderr
    assert "keeps what was fetched" not in job.stderr, "a commit does not change"
    assert (tmp_path / "qrels.tsv").read_bytes() == (repository / "qrels.tsv").read_bytes()


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("hub:o/n", "raw/hub/o/n/%2F"),
        ("hub:o/n@v1/data/", "raw/hub/o/n@v1/data%2F"),
        ("hub:o/n@refs/convert/parquet/a/*.parquet", "raw/hub/o/n@refs/convert/parquet/a%2F%2A.parquet"),
        ("hub:o/n/a b/c.tsv", "raw/hub/o/n/a%20b/c.tsv"),
        ("hub:o/n/c.zip/in/d.tsv", "raw/hub/o/n/c.zip/in/d.tsv"),
    ],
)
def test_a_path_may_be_an_address_and_stands_for_one_place(address: str, place: str) -> None:
    assert Source(format="jsonl", path=address).path == place
    assert Source(format="jsonl", path=place).path == place
    assert hub_files(place) == HubFiles.parse(address)


@pytest.mark.parametrize(
    "address", ["hub:n", "hub:o/../n", "hub:../n/a", "hub:o/n@", "hub:o/n/a//b", "hub:o/n/x.tgz/m"]
)
def test_what_is_no_address_is_refused_with_the_form(address: str) -> None:
    with pytest.raises(ValueError, match=r"OWNER/NAME|name the tar in `downloads`"):
        Source(format="jsonl", path=address)


def test_places_of_several_files_are_in_no_other_place() -> None:
    addresses = ("hub:o/n", "hub:o/n/a/", "hub:o/n/a/b/", "hub:o/n/a/b/c.tsv", "hub:o/n/a/*.tsv", "hub:o/n/a")
    places = [Path(HubFiles.parse(address).place) for address in addresses]
    folders = [place for place in places if "%" in place.name]
    assert len(folders) == 4
    assert not [(place, folder) for place in places for folder in folders if folder in place.parents]
