"""Disks that are full, for real: each script that writes something large ends with one clear line and no half file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from command_line import arguments, write_configuration
from judged_pools import write_pool
from safetensors import SafetensorError
from tiny_bert import save_tiny_bert

from utility_annotation.common.errors import InputError, NoRoom, lacks_room, run_script
from utility_annotation.common.files import atomic_write
from utility_annotation.io.schemas import CORPUS

ON_A_SMALL_DISK = """
disk=$1 size=$2; shift 2
mount -t tmpfs -o size="$size" tmpfs "$disk" || exit 77
cd "$disk" && %s"$@" > /dev/null 2> "$disk.error"
code=$?
find "$disk" -type f > "$disk.left"
exit $code
"""


def run(root: Path, folder: Path, size: str, script: str, *options: str, before: str = "") -> tuple[str, list[str]]:
    """Run a script in a folder that is a disk of ``size``; its last words, and the files that it left there.

    Args:
        root: the repository.
        folder: where the disk and what the script says are put.
        size: as mount takes it.
        script: the script.
        options: its command line.
        before: what the shell does first on the disk.
    """
    disk = folder / "disk"
    disk.mkdir()
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    command = [*unshare, "sh", "-c", ON_A_SMALL_DISK % before, "sh", disk, size, sys.executable]
    job = subprocess.run([*command, root / "workflow" / "scripts" / script, *options])
    if job.returncode == 77:
        pytest.skip("this machine lets nobody mount a disk")
    error = (folder / "disk.error").read_text().splitlines()[-1]
    assert job.returncode == 1, error
    return error, (folder / "disk.left").read_text().split()


def assert_full(error: str, written: str, top: str, due: str = "") -> None:
    """The line names the file that was being written, the room that there is, and the ways to more."""
    assert re.match(
        rf"error: {re.escape(written)}: there is no room to write this file \(No space left on device\)", error
    )
    assert re.search(rf": [\d.]+ \w+ of [\d.]+ [kM]B are free on the disk of \S*/disk/{top}{due}", error), error
    hint = error.partition("Fix: ")[2]
    assert f"put {top}/ on a larger disk (`mv {top} /large/disk/ && ln -s /large/disk/{top} {top}`)" in hint
    assert "run the same command again" in hint


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 4 MB that no compression makes small."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    rows = ({"_id": str(row), "title": "", "text": os.urandom(500).hex()} for row in range(4000))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_ingest(root: Path, tmp_path: Path, passages: Path) -> None:
    dataset = {"corpus": {"format": "beir", "path": str(passages)}, "splits": {}}
    config = write_configuration(tmp_path / "config.yaml", datasets={"demo": dataset})
    output = "data/demo/corpus.parquet"
    options = arguments("corpus", config=config, dataset="demo", output=output)
    error, left = run(root, tmp_path, "300k", "ingest.py", *options)
    assert_full(error, output, "data")
    assert left == []


def test_unpack_knows_how_much_is_due(root: Path, tmp_path: Path, passages: Path) -> None:
    with tarfile.open(tmp_path / "corpus.tar.gz", "w:gz") as archive:
        archive.add(passages, "corpus.jsonl")
    output = "raw/corpus/corpus.jsonl"
    config = write_configuration(tmp_path / "config.yaml")
    archive = tmp_path / "corpus.tar.gz"
    options = arguments("member", config=config, archive=archive, member="corpus.jsonl", output=output)
    error, left = run(root, tmp_path, "1m", "prepare.py", *options)
    assert_full(error, output, "raw", r"/corpus, 4\.\d MB are needed")
    assert left == []


def test_a_download_keeps_what_came(root: Path, tmp_path: Path, passages: Path) -> None:
    download = {"url": passages.as_uri(), "bytes": passages.stat().st_size}
    config = write_configuration(tmp_path / "config.yaml", downloads={"corpus": download})
    options = arguments("download", config=config, download="corpus", output="raw/corpus/corpus.jsonl")
    error, left = run(root, tmp_path, "1m", "prepare.py", *options)
    assert_full(error, "raw/corpus/corpus.jsonl", "raw", r"/corpus, 4\.\d MB are needed")
    assert {Path(file).name for file in left} == {".corpus.jsonl.partial", ".corpus.jsonl.partial.json"}


def test_encoding_is_not_killed_by_its_memory_map(root: Path, tmp_path: Path) -> None:
    save_tiny_bert(tmp_path / "model")
    CORPUS.write(
        tmp_path / "corpus.parquet",
        CORPUS.rows([{"docid": str(row), "title": None, "text": "a word"} for row in range(20_000)]),
    )
    backbone = {"model": "tiny", "query_length": 8, "passage_length": 8}
    config = write_configuration(tmp_path / "config.yaml", backbones={"encoder": backbone})
    files = {"model": tmp_path / "model", "corpus": tmp_path / "corpus.parquet", "output": "results"}
    options = arguments("encode", config=config, backbone="encoder", shard="0000-of-0001", **files)
    error, left = run(root, tmp_path, "300k", "retrieve.py", *options)
    assert_full(error, "results/0000-of-0001.npy", "results", r", [\d.]+ [kM]B are needed")
    assert left == []


def test_labels(root: Path, tmp_path: Path) -> None:
    pool = {f"query {number}": [(os.urandom(20).hex(), True)] for number in range(2000)}
    write_pool(tmp_path / "pool", pool)
    config = write_configuration(tmp_path / "config.yaml")
    link = f"mkdir -p results/pools && ln -s {tmp_path / 'pool'} results/pools/pool && "
    options = arguments("merge", config=config, labels="human", output="results/labels/human.parquet")
    error, left = run(root, tmp_path, "24k", "label.py", *options, before=link)
    assert_full(error, "results/labels/human.parquet", "results")
    assert left == []


def test_what_libraries_make_of_a_full_disk_is_seen(tmp_path: Path) -> None:
    def save() -> None:
        with atomic_write(tmp_path / "checkpoint"):
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(NoRoom, match=r"checkpoint: there is no room to write this file \(No space left on device\)"):
        save()


def test_a_full_disk_that_was_met_elsewhere_is_told_by_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    def main(_: object) -> None:
        raise RuntimeError("wrapped") from OSError(28, "No space left on device", "/tmp/some-file")

    with pytest.raises(SystemExit) as ended:
        run_script(main)
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: /")
    assert lacks_room(OSError(28, "full")) == "No space left on device"


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    def fail(error: Exception) -> None:
        with atomic_write(tmp_path / "file"):
            raise error

    for error in (PermissionError(13, "denied"), ValueError("odd"), InputError("bad.", hint="hint.")):
        with pytest.raises(type(error)) as raised:
            fail(error)
        assert raised.value is error
