"""Kills, full disks and crowds, done for real to the completion store: what was stored stays, and jobs end clearly."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utility_annotation.engines.protocol import Completion
from utility_annotation.engines.store import CompletionStore
from utility_annotation.engines.store_admin import prune

WRITE = """
import sys
from utility_annotation.engines.protocol import Completion
from utility_annotation.engines.store import CompletionStore
from utility_annotation.common.errors import run_script

def main(_):
    folder, name, count, openings = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for part in range(openings):
        with CompletionStore(folder) as store:
            for number in range(part, count, openings):
                key = f"{name}{number:031x}"
                store.add(key, Completion(f"{key} " * 30, "stop", number, 1))
                print(key, flush=True)

run_script(main)
"""
"""Stores so many records under keys that begin with a name, in so many segments; prints each key once it is stored."""

ENDLESS = 10**9
FILE_SIZE = 20_000
"""Bytes of the longest file that a process of limited file size may write: some 18 records and a half."""


def command(folder: Path, name: str, count: int = ENDLESS, openings: int = 1) -> list[str]:
    """The command that runs WRITE."""
    return [sys.executable, "-c", WRITE, str(folder), name, str(count), str(openings)]


def results(keys: list[str]) -> dict[str, Completion]:
    """What WRITE stores under its keys."""
    return {key: Completion(f"{key} " * 30, "stop", int(key[1:], 16), 1) for key in keys}


def keys(name: str, count: int) -> list[str]:
    """The keys of WRITE."""
    return [f"{name}{number:031x}" for number in range(count)]


def limit_file_size() -> None:
    """Let this process write no long file: to it the disk is full in the middle of a record."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))


@pytest.fixture(autouse=True)
def library(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes started here find the library."""
    monkeypatch.setenv("PYTHONPATH", str(root / "workflow" / "scripts"))


def test_killed_writer_loses_nothing_that_it_had_stored(tmp_path: Path) -> None:
    store, stored = tmp_path / "store", []
    for name in "abc":
        acknowledged = tmp_path / name
        with acknowledged.open("w") as output:
            process = subprocess.Popen(command(store, name), stdout=output)
        while acknowledged.stat().st_size < 10_000 and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        stored += [line[:-1] for line in acknowledged.read_text().splitlines(keepends=True) if line.endswith("\n")]
    assert len(stored) > 900
    assert CompletionStore(store).find(stored) == results(stored)


def test_two_writers_and_a_reader_do_no_harm(tmp_path: Path) -> None:
    """Nobody takes what the writers print, so their pipes fill up half-way: the reader is sure to see them at it."""
    count = 4000
    wanted = keys("a", count) + keys("b", count)
    stored = results(wanted)
    writers = [subprocess.Popen(command(tmp_path, name, count), stdout=subprocess.PIPE) for name in "ab"]
    counts = [0]
    while counts[-1] < 1000 and all(writer.poll() is None for writer in writers):
        found = CompletionStore(tmp_path).find(wanted)
        assert found.items() <= stored.items()
        counts.append(len(found))
    assert counts == sorted(counts)
    assert 1000 <= counts[-1] < len(wanted)
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert CompletionStore(tmp_path).find(wanted) == stored


def test_pruning_while_jobs_write_and_read_loses_nothing(tmp_path: Path) -> None:
    """The writers take new segments all the time, so that prunes meet segments that begin, grow and end."""
    wanted = keys("a", 1000) + keys("b", 1000)
    writers = [subprocess.Popen(command(tmp_path, name, 1000, 200), stdout=subprocess.DEVNULL) for name in "ab"]
    prunes, counts = 0, []
    while any(writer.poll() is None for writer in writers):
        prunes += prune(tmp_path).segments > 1
        counts.append(len(CompletionStore(tmp_path).find(wanted)))
    assert [writer.returncode for writer in writers] == [0, 0]
    assert prunes > 1, "no prune met a writer"
    assert counts == sorted(counts)
    prune(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert CompletionStore(tmp_path).find(wanted) == results(wanted)


FIND_WHILE_PRUNED = """
import sys
from pathlib import Path
from utility_annotation.engines.store import CompletionStore
from utility_annotation.engines.store_admin import prune

store, pruned = CompletionStore(sys.argv[1]), False

def prune_before_the_first_segment_is_opened(event, arguments):
    global pruned
    if event == "open" and str(arguments[0]).endswith(".jsonl") and not pruned:
        pruned = True
        prune(store.folder)

sys.addaudithook(prune_before_the_first_segment_is_opened)
print(len(store.find(sys.argv[2:])))
"""


def test_reader_whose_segments_are_pruned_away_finds_their_records(tmp_path: Path) -> None:
    for name in "ab":
        subprocess.run(command(tmp_path, name, 5), check=True, stdout=subprocess.DEVNULL)
    find = [sys.executable, "-c", FIND_WHILE_PRUNED, str(tmp_path), *keys("a", 5), *keys("b", 5)]
    assert subprocess.run(find, check=True, capture_output=True, text=True).stdout == "10\n"
    assert [path.name[:6] for path in tmp_path.iterdir()] == ["pruned"]


PRUNE_KILLED_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from utility_annotation.engines.store_admin import prune

store, deaths = Path(sys.argv[1]), 0
while True:
    copy = store.with_name(f"killed-at-step-{deaths + 1}")
    shutil.copytree(store, copy)
    child = os.fork()
    if child == 0:
        steps = 0
        def step(event, _):
            global steps
            if event in ("open", "fcntl.flock", "os.rename", "os.remove"):
                steps += 1
                if steps > deaths:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(step)
        prune(copy)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
    deaths += 1
"""
"""Kills a prune before its first, second, … access to a file; leaves a copy of the store as each death left it."""


def test_prune_killed_at_any_step_loses_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for name in "abc":
        subprocess.run(command(store, name, 5), check=True, stdout=subprocess.DEVNULL)
    wanted = keys("a", 5) + keys("b", 5) + keys("c", 5)
    subprocess.run([sys.executable, "-c", PRUNE_KILLED_AT_EVERY_STEP, str(store)], check=True)
    copies = list(tmp_path.glob("killed-at-step-*"))
    assert len(copies) > 10
    assert len({len(list(copy.glob("*.jsonl"))) for copy in copies}) == 4, "from 3 segments to 4, and down to 1"
    for copy in copies:
        assert CompletionStore(copy).find(wanted) == results(wanted), copy.name


def test_disk_full_in_the_middle_of_a_record_ends_the_job_with_a_clear_error(tmp_path: Path) -> None:
    job = subprocess.run(command(tmp_path, "a"), capture_output=True, text=True, preexec_fn=limit_file_size)
    assert job.returncode == 1
    (line,) = job.stderr.splitlines()
    assert line.startswith(f"error: {tmp_path}: there is no room to write completions")
    assert "Fix: free space there" in line
    (segment,) = tmp_path.glob("*.jsonl")
    assert segment.stat().st_size == FILE_SIZE
    assert segment.read_bytes()[-1:] != b"\n", "the record fitted, so nothing was shown"
    stored = job.stdout.split()
    assert len(stored) > 10
    assert CompletionStore(tmp_path).find(stored) == results(stored)

    subprocess.run(command(tmp_path, "a", 100), check=True, stdout=subprocess.DEVNULL)
    assert CompletionStore(tmp_path).find(keys("a", 100)) == results(keys("a", 100))


SMALL_DISK = """
disk=$1 outcome=$2; shift 2
mount -t tmpfs -o size=256k tmpfs "$disk" || exit 77
head -c 160k /dev/zero > "$disk/filler"
"$@" > "$outcome/stored" 2> "$outcome/error"
echo $? > "$outcome/status"
cp -r "$disk/store" "$outcome/full"
rm "$disk/filler"
"$@" > /dev/null && cp -r "$disk/store" "$outcome/later"
"""
"""Runs a job on a disk of its own, first while that is too full, then when room has been made."""


def test_full_disk_ends_the_job_and_a_later_one_goes_on(tmp_path: Path) -> None:
    disk, count = tmp_path / "disk", 120
    disk.mkdir()
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    job = command(disk / "store", "a", count)
    run = subprocess.run([*unshare, "sh", "-c", SMALL_DISK, "sh", str(disk), str(tmp_path), *job])
    if run.returncode == 77:
        pytest.skip("this machine lets nobody mount a disk; a limit on files stands in for it in the other tests")
    assert (tmp_path / "status").read_text() == "1\n"
    (line,) = (tmp_path / "error").read_text().splitlines()
    assert line.startswith(f"error: {disk / 'store'}: there is no room to write completions (No space left on device)")
    stored = (tmp_path / "stored").read_text().split()
    assert len(stored) > 10
    assert CompletionStore(tmp_path / "full").find(keys("a", count)) == results(stored)
    assert CompletionStore(tmp_path / "later").find(keys("a", count)) == results(keys("a", count))


GOES_ON_AFTER_A_FULL_DISK = """
import resource, sys
from utility_annotation.engines.protocol import Completion
from utility_annotation.engines.store import CompletionStore
from utility_annotation.common.errors import InputError

with CompletionStore(sys.argv[1]) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        store.add("a" * 32, Completion("long " * 1000, "stop", 1, 1))
    except InputError:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.add("b" * 32, Completion("short", "stop", 1, 1))
"""


def test_half_a_record_spoils_no_later_one_of_the_same_process(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", GOES_ON_AFTER_A_FULL_DISK, str(tmp_path)], check=True)
    assert sum(segment.stat().st_size for segment in tmp_path.glob("*.jsonl")) > 1000, "nothing was cut off"
    assert CompletionStore(tmp_path).find(["a" * 32, "b" * 32]) == {"b" * 32: Completion("short", "stop", 1, 1)}


def test_prune_without_room_leaves_the_store_as_it_was(tmp_path: Path, root: Path) -> None:
    for name in "ab":
        subprocess.run(command(tmp_path, name, 30), check=True, stdout=subprocess.DEVNULL)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    script = [sys.executable, str(root / "workflow" / "scripts" / "completions.py"), "prune", str(tmp_path)]
    pruning = subprocess.run(script, capture_output=True, text=True, preexec_fn=limit_file_size)
    assert pruning.returncode == 1
    assert pruning.stderr.startswith(f"error: {tmp_path}/pruned-")
    assert "there is no room to write this file" in pruning.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


OPENED_BY_ANYBODY = """
import os, sys
from utility_annotation.engines.store import CompletionStore
from utility_annotation.common.errors import run_script

os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere
run_script(lambda _: CompletionStore("store"))
"""


@pytest.mark.parametrize("exists", [True, False])
def test_folder_that_may_not_be_written_is_refused_at_once(tmp_path: Path, exists: bool) -> None:
    place = tmp_path / "place"
    (place / "store" if exists else place).mkdir(parents=True)
    for folder in (place / "store", place):
        if folder.exists():
            folder.chmod(0o555)
    job = subprocess.run([sys.executable, "-c", OPENED_BY_ANYBODY, str(place)], capture_output=True, text=True)
    for folder in (place, place / "store"):
        if folder.exists():
            folder.chmod(0o755)
    assert job.returncode == 1
    (line,) = job.stderr.splitlines()
    assert line.startswith("error: store: completions cannot be stored here")
    assert "Fix: give a folder in which you may read and make files." in line
