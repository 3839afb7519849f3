"""An annotation job as its user sees it: how far it is while it runs, and how it ends where its disk is full."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hosted import SHARD, annotated, said, script_arguments, write_pool
from scripted_server import Answer, Received, ScriptedServer, chat_answer
from terminal import run_on_terminal

from utility_annotation.io.schemas import ANNOTATION


def test_job_shows_how_far_it_is_in_the_log_and_on_the_terminal_while_its_server_takes_its_time(
    root: Path, tmp_path: Path
) -> None:
    """Nothing comes for six seconds, then two replies of six, then nothing again until the terminal has its line."""
    usage = {"prompt_tokens": 500, "completion_tokens": 20}

    def script(received: Received) -> Answer:
        number = int(re.search(r"question (\d)", said(received))[1])
        text = "My selection:[]" if number == 0 else "My selection:[[1]]"
        return Answer(chat_answer(text, usage=usage).body, seconds=6 if number < 2 else 12)

    write_pool(tmp_path, 6)
    log = tmp_path / "log"
    with ScriptedServer(script) as scripted:
        arguments = script_arguments(tmp_path, root, scripted.url, concurrency=6)
        command = [sys.executable, str(root / "workflow" / "scripts" / "annotate.py"), *arguments]
        ended, shown = run_on_terminal(command, log=log)
    assert ended == 0, log.read_text()
    counts = r"\d\d:\d\d:\d\d INFO annotat(?:ing|ed): (\d) of 6 completions, ([\d.]+) a second, "
    rates = r"(\d+) prompt tokens a second, (\d+) new tokens a second, 0 from the store, "
    line = re.compile(rf"^{counts}{rates}outcomes: (.*), 0:00:(\d\d)( left)?$", re.MULTILINE)
    first, second, last = line.findall(log.read_text())
    assert first[:5] == ("0", "0.0", "0", "0", "none yet")
    assert (second[0], second[4], second[6]) == ("2", "empty 1, ok 1", " left")
    seconds = 2 * int(second[5]) / 4  # two took so long, and four are left
    assert float(second[1]) == pytest.approx(2 / seconds, abs=0.06)
    assert int(second[2]) == pytest.approx(1000 / seconds, abs=6)
    assert int(second[3]) == pytest.approx(40 / seconds, abs=1)
    assert (last[0], last[4], last[6]) == ("6", "empty 1, ok 5", "")
    assert re.search(rf"annotate relsel {SHARD} {tmp_path}/annotation: annotating: 2 of 6 completions, .* left", shown)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer({"error": "overloaded"}, 503), "the server answers 503: overloaded; and no other request was served"),
        (Answer(b"<html>", 200), "the server's answer does not follow the protocol"),
        (
            Answer({"error": "unknown parameter"}, 400),
            "every request of this shard failed, the last one with: the",
        ),
    ],
    ids=["busy", "no server of the protocol", "refuses all"],
)
def test_server_that_serves_nothing_leaves_no_shard_of_errors(
    root: Path, tmp_path: Path, answer: Answer, error: str
) -> None:
    write_pool(tmp_path, 3)
    with ScriptedServer(lambda received: answer) as scripted:
        command = [sys.executable, str(root / "workflow" / "scripts" / "annotate.py")]
        command += script_arguments(tmp_path, root, scripted.url, attempts=1)
        ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("error: ")
    assert error in ended.stderr.splitlines()[-1]
    assert not annotated(tmp_path).exists()
    assert not annotated(tmp_path).with_suffix(".json").exists()


OWN_DISK = 'mount -t tmpfs -o size=48k tmpfs "$0" || exit 77; "$@"; code=$?; find "$0" -type f; exit $code'
"""Runs a program with a small disk of its own, and says what it leaves there."""


def test_disk_full_at_the_end_costs_no_completion(root: Path, tmp_path: Path) -> None:
    """The rows do not fit, so the job ends; with room it needs nothing of the server any more."""
    queries, disk = 100, tmp_path / "disk"
    disk.mkdir()
    write_pool(tmp_path, queries)
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    with ScriptedServer(lambda received: chat_answer(f"{os.urandom(1000).hex()}\nMy selection:[[1]]")) as scripted:
        command = [sys.executable, str(root / "workflow" / "scripts" / "annotate.py")]
        command += script_arguments(tmp_path, root, scripted.url)
        first = [*unshare, "sh", "-c", OWN_DISK, str(disk), *command, "--annotation", str(disk)]
        full = subprocess.run(first, capture_output=True, text=True)
        if full.returncode == 77:
            pytest.skip("this machine lets nobody mount a disk")
        stored = [line for file in (tmp_path / "store").glob("*.jsonl") for line in file.read_text().splitlines()]
        later = subprocess.run(command, capture_output=True, text=True)
        asked = len(scripted.received)
    assert full.returncode == 1, full.stderr
    error = full.stderr.splitlines()[-1]
    assert error.startswith(
        f"error: {disk}/relsel/{SHARD}.parquet: there is no room to write this file (No space left on device)"
    )
    assert full.stdout == "", "nothing is left of the file"
    assert len(stored) == asked == queries
    assert later.returncode == 0, later.stderr
    rows = ANNOTATION.read(annotated(tmp_path)).to_pylist()
    assert [row["outcome"] for row in rows] == ["ok"] * queries
