"""The files of a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.documents import folder as folders


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_files_at_any_depth_without_hidden_ones(tmp_path: Path) -> None:
    _write(tmp_path, b="1", a__c="2", a__d__e="3")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    assert folders.files(tmp_path) == ["a/c", "a/d/e", "b"]


def test_a_link_to_a_folder_and_a_pipe_are_left_out(tmp_path: Path) -> None:
    _write(tmp_path, a__b="1")
    (tmp_path / "link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    assert folders.files(tmp_path) == ["a/b"]


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path, a__b="1")
    scan = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"cannot look into this folder \(Permission denied\)"):
        folders.files(tmp_path)
    assert folders.files(tmp_path / "absent") == []


def test_shards_have_each_file_once_and_keep_it(tmp_path: Path) -> None:
    names = [f"{number}.txt" for number in range(50)]
    shards = [folders.of_shard(names, f"000{number}-of-0004") for number in range(4)]
    assert sorted(name for shard in shards for name in shard) == sorted(names)
    assert all(shards)
    assert folders.of_shard([*names, "new.txt"], "0001-of-0004")[:2] == shards[1][:2]


def test_a_digest_changes_with_names_and_contents_alone(tmp_path: Path) -> None:
    _write(tmp_path, a="1", b="2")
    cache = str(tmp_path / "cache")

    def digest(*names: str) -> str:
        return folders.digest(tmp_path, names, cache)

    before = digest("a", "b")
    os.utime(tmp_path / "a", (1, 1))
    assert digest("a", "b") == before
    _write(tmp_path, a="3")
    assert digest("a", "b") != before
    _write(tmp_path, c="1")
    assert digest("c", "b") != before
    assert digest("b") != digest("a", "b")


def test_a_digest_of_what_is_no_text_or_cannot_be_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / name).write_text("x")
    cache = str(tmp_path / "cache")
    before = folders.digest(tmp_path, [name, "gone"], cache)
    assert folders.digest(tmp_path, [name, "gone"], cache) == before
    (tmp_path / "gone").write_text("x")
    assert folders.digest(tmp_path, [name, "gone"], cache) != before


def test_a_name_that_is_no_text_is_spelled_out() -> None:
    assert folders.shown(os.fsdecode(b"caf\xe9.txt")) == "caf\\xe9.txt"
    assert folders.shown("café.txt") == "café.txt"


def test_a_title_is_a_name_without_its_endings() -> None:
    assert [folders.stem(name) for name in ("a/b.tar.md.gz", "policy-3.0.pdf", "README")] == [
        "b.tar",
        "policy-3.0",
        "README",
    ]
