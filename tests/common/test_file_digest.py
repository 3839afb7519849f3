"""Digests of files: by what they hold, and read again only when they may hold something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.file_digest import content_digest
from utility_annotation.common.files import read_json, write_json


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b"one\n")
    return path


@settings(max_examples=25)
@given(contents=st.lists(st.binary(max_size=8), min_size=2, max_size=4))
def test_equal_contents_have_equal_digests_whatever_their_names(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("content")
    digests = []
    for place, content in enumerate(contents):
        (folder / str(place)).write_bytes(content)
        digests.append(content_digest(folder / str(place), folder / "cache"))
    assert len(set(digests)) == len(set(contents))


def test_a_touch_changes_no_digest_and_a_byte_does(file: Path, tmp_path: Path) -> None:
    before = content_digest(file, tmp_path / "cache")
    os.utime(file, (1, 1))
    assert content_digest(file, tmp_path / "cache") == before
    file.write_bytes(b"two\n")
    assert content_digest(file, tmp_path / "cache") != before


def test_a_file_that_did_not_change_is_not_read_again(file: Path, tmp_path: Path) -> None:
    content_digest(file, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    write_json(kept, read_json(kept) | {"digest": "kept"})  # type: ignore[operator]
    assert content_digest(file, tmp_path / "cache") == "kept"
    os.utime(file, (1, 1))
    assert content_digest(file, tmp_path / "cache") != "kept"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"path": "elsewhere"}', b"\xff"])
def test_a_damaged_record_counts_for_nothing(file: Path, tmp_path: Path, content: bytes) -> None:
    expected = content_digest(file, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(content)
    assert content_digest(file, tmp_path / "cache") == expected


def test_without_a_place_to_keep_it_the_digest_is_had_all_the_same(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    assert content_digest(file, tmp_path / "cache") == content_digest(file, tmp_path / "other")
