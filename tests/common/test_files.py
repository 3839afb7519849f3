"""Nothing half-written is ever seen."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import atomic_write, read_json, write_json, write_text


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for name in ("old", "new"):
        with atomic_write(target) as temporary:
            temporary.mkdir()
            (temporary / name).write_text("x")
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_removes_a_half_written_folder(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_write(tmp_path / "model") as temporary:
            temporary.mkdir()
            (temporary / "part").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_leftover_of_a_killed_process_is_no_hindrance(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "model") as temporary:
        name = temporary.name
        temporary.mkdir()
    (tmp_path / name).mkdir()
    (tmp_path / name / "left").write_text("x")
    with atomic_write(tmp_path / "model") as temporary:
        temporary.mkdir()
    assert list((tmp_path / "model").iterdir()) == []


def test_text_is_utf8(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_json_is_sorted_and_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": [math.nan, "é"]})
    assert (tmp_path / "a.json").read_text("utf-8").splitlines()[1] == '  "a": ['
    assert read_json(tmp_path / "a.json") == {"a": [None, "é"], "b": 1}


def test_what_is_no_json_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
@pytest.mark.parametrize("kind", ["text", "parquet"])
def test_a_full_disk_is_one_clear_error_and_leaves_what_was_there(tmp_path: Path, root: Path, kind: str) -> None:
    """A limit of the size of files stands in for the disk; the writer meets it in the middle of its write."""
    program = tmp_path / "program.py"
    program.write_text(
        f"import resource, signal, sys\n"
        f"sys.path.insert(0, {str(root / 'workflow' / 'scripts')!r})\n"
        "from utility_annotation.io.schemas import QUERIES\n"
        "from utility_annotation.common.errors import run_script\n"
        "from utility_annotation.common.files import write_text\n"
        "texts = [hex(n * 0x9E3779B97F4A7C15) for n in range(40000)]\n"
        "rows = [{'query_id': str(n), 'text': text} for n, text in enumerate(texts)]\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "kind, path = sys.argv[1:]\n"
        "text = lambda _: write_text(path, ''.join(texts))\n"
        "parquet = lambda _: QUERIES.write(path, QUERIES.rows(rows))\n"
        "run_script(text if kind == 'text' else parquet)\n"
    )
    folder = tmp_path / "results"
    folder.mkdir()
    target = folder / "out"
    target.write_text("before")
    ended = subprocess.run([sys.executable, str(program), kind, str(target)], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"error: {target}: there is no room to write this file")
    assert [path.read_text() for path in folder.iterdir()] == ["before"]


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path: Path, folder: bool) -> None:
    target = tmp_path / "a[1].txt"
    old, new, other = (tmp_path / f".{name}.partial" for name in ("a[1].txt.123", "a[1].txt.456", "a1.txt.123"))
    for path in (old, new, other):
        path.mkdir() if folder else path.write_text("half")
    for path in (old, other):
        os.utime(path, (0, 0))
    write_text(target, "whole")
    assert {path.name for path in tmp_path.iterdir()} == {target.name, new.name, other.name}


WHOLE = b'{"metrics": {"MRR@10": 0.5}, "queries": 3}'


@pytest.mark.parametrize(
    "content", [b"", WHOLE[:1], WHOLE[:20], WHOLE[:-1], b"null", b"[]", b'{"queries": 3}', b"\xff"]
)
def test_json_that_is_cut_or_of_another_kind_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"metrics\.json: this file is damaged \(.*Fix: "):
        read_json(path, "metrics", "queries")


def test_json_of_ours_is_read_by_one_function_that_names_the_file(root: Path) -> None:
    """What reads JSON of others stands in these modules, which have an error of their own."""
    readers = {"syntax.py", "lines.py", "weights.py", "store_files.py", "server.py", "files.py"}
    readers |= {"describe_configuration.py", "machine.py"}  # read back what we made ourselves
    readers |= {"outside.py"}  # asks servers
    readers |= {"models.py"}  # the code on a card
    found = [path.name for path in (root / "workflow").rglob("*.py") if re.search(r"json\.loads?\(", path.read_text())]
    assert set(found) <= readers
