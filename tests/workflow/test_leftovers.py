"""What others and crashes leave in a working folder: each ends in a clear message, or just works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from scripted_server import Answer, Received, ScriptedServer, chat_answer
from workflow_copy import copy_of_repository, environment, shrink_demo, snakemake

pytestmark = pytest.mark.snakemake

LABELS = "results/labels/human.parquet"
CORPUS = "data/demo/corpus.parquet"
INDEX = "results/bm25/demo"
JUDGED = "results/annotation/demo-train/hosted/relsel/0000-of-0002.parquet"


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """A small demo, of which nothing was run."""
    shrink_demo(copy_of_repository(root, tmp_path))
    return tmp_path


@pytest.fixture
def held_up(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """A run that cannot end, for the LLM's server is too busy to answer; and what makes the server answer."""
    answering = False

    def script(received: Received) -> Answer:
        return chat_answer() if answering else Answer(status=503, seconds=0.5)

    def answer() -> None:
        nonlocal answering
        answering = True

    with ScriptedServer(script) as server:
        path = folder / "config" / "config.yaml"
        configuration = yaml.safe_load(path.read_text())
        configuration["annotators"]["hosted"] = {"engine": "openai", "served_model_name": "served"}
        configuration["performance"]["annotate"] = {"server": {"url": server.url, "attempts": 50}}
        path.write_text(yaml.safe_dump(configuration))
        command = [sys.executable, "-m", "snakemake", "--cores", "1", JUDGED]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while not server.received:
            assert process.poll() is None, "the run ended before its job began"
            time.sleep(0.1)
        yield process, answer
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def read_only(folder: Path, place: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake while a part of the folder cannot be written, not even by root."""
    mount = f"mount --bind {place} {place} && mount -o remount,ro,bind {place}"
    if subprocess.run(["unshare", "--mount", "sh", "-c", mount], cwd=folder, capture_output=True).returncode:
        pytest.skip("mounting a folder read-only needs root and util-linux")
    command = f'{mount} && exec "{sys.executable}" -m snakemake --cores 1 "$@"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
    )


def test_a_second_user_is_refused_while_a_run_is_under_way(
    folder: Path, held_up: tuple[subprocess.Popen[bytes], Callable[[], None]]
) -> None:
    process, answer = held_up
    second = snakemake(folder, "--cores", "1", LABELS)
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stderr
    answer()
    assert process.wait(120) == 0, "the first run is not disturbed"
    assert (folder / JUDGED).exists()


def test_a_dry_run_is_allowed_while_a_run_is_under_way(
    folder: Path, held_up: tuple[subprocess.Popen[bytes], Callable[[], None]]
) -> None:
    assert snakemake(folder, "--dry-run", LABELS).returncode == 0


def test_after_a_crash_the_lock_is_named_and_the_run_goes_on_without_what_was_half_written(
    folder: Path, held_up: tuple[subprocess.Popen[bytes], Callable[[], None]]
) -> None:
    process, answer = held_up
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    output = folder / JUDGED
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(b"PAR1 half a file")
    answer()

    refused = snakemake(folder, "--cores", "1", JUDGED)
    assert refused.returncode != 0
    assert "--unlock" in refused.stderr
    assert snakemake(folder, "--unlock").returncode == 0
    again = snakemake(folder, "--cores", "1", JUDGED)
    assert again.returncode == 0, again.stderr
    assert output.read_bytes().endswith(b"PAR1"), "a whole parquet file"


def test_a_half_file_that_nobody_recorded_is_named_with_the_mend(folder: Path) -> None:
    assert snakemake(folder, "--cores", "1", CORPUS).returncode == 0
    whole = (folder / CORPUS).read_bytes()
    (folder / CORPUS).write_bytes(whole[: len(whole) // 2])
    result = snakemake(folder, "--cores", "1", INDEX)
    assert result.returncode != 0
    assert f"error: {CORPUS}: not a readable corpus file" in result.stderr
    assert "delete the file and run the target again" in result.stderr
    (folder / CORPUS).unlink()
    assert snakemake(folder, "--cores", "1", INDEX).returncode == 0


def test_a_read_only_data_folder_is_enough_where_nothing_is_to_be_made_in_it(folder: Path) -> None:
    assert snakemake(folder, "--cores", "1", CORPUS).returncode == 0
    result = read_only(folder, "data", INDEX)
    assert result.returncode == 0, result.stderr
    assert (folder / INDEX).is_dir()


def test_a_file_to_be_made_in_a_read_only_data_folder_is_named_before_anything_runs(folder: Path) -> None:
    assert snakemake(folder, "--cores", "1", CORPUS).returncode == 0
    result = read_only(folder, "data", "data/demo/queries/dev.parquet", INDEX)
    assert result.returncode != 0
    assert "data/demo cannot be written, but ingest_queries is to make data/demo/queries/dev.parquet" in result.stderr
    assert not (folder / INDEX).exists(), "no job was started"


def test_the_folder_of_somebody_else_is_named(folder: Path) -> None:
    assert snakemake(folder, "--cores", "1", CORPUS).returncode == 0
    result = read_only(folder, ".snakemake", INDEX)
    assert result.returncode != 0
    assert f"{folder}/.snakemake cannot be written: the folder is read-only, or another user's" in result.stderr


@pytest.mark.skipif(shutil.which("squeue") is None, reason="SLURM is not installed")
def test_a_slurm_that_does_not_answer_keeps_nobody_from_running_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", "/nowhere/slurm.conf")
    result = snakemake(folder, "--cores", "1", LABELS)
    assert result.returncode == 0, result.stderr
    assert "SLURM does not answer" in result.stderr
    script = [sys.executable, folder / "workflow" / "scripts" / "cluster_jobs.py", "cancel"]
    cancelled = subprocess.run(script, cwd=folder, capture_output=True, text=True)
    assert cancelled.returncode != 0, "here it matters"
    assert "SLURM does not answer" in cancelled.stderr


def test_results_may_lie_on_another_disk(folder: Path) -> None:
    if not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == folder.stat().st_dev:
        pytest.skip("no second file system to write to")
    disk = Path("/dev/shm") / f"utility-annotation-{os.getpid()}"
    disk.mkdir()
    try:
        (folder / "results").symlink_to(disk)
        result = snakemake(folder, "--cores", "1", LABELS)
        assert result.returncode == 0, result.stderr
        assert (disk / "labels" / "human.parquet").is_file()
        again = snakemake(folder, "--cores", "1", LABELS)
        assert "Nothing to be done" in again.stderr
    finally:
        shutil.rmtree(disk)


def test_a_results_link_to_a_disk_that_is_not_there_is_named(folder: Path) -> None:
    (folder / "results").symlink_to("/nowhere/at/all")
    result = snakemake(folder, "--cores", "1", LABELS)
    assert result.returncode != 0
    assert "results cannot be written" in result.stderr
