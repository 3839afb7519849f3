"""One member of a tar archive; what a hostile archive or zip cannot do."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.io.archives import is_tar, unpack
from utility_annotation.io.formats.lines import iter_lines

TEXT = b"".join(b"%d\tpassage\n" % number for number in range(50_000))


def make_tar(path: Path, members: dict[str, bytes], links: dict[str, tuple[bytes, str]] | None = None) -> Path:
    """Write a tar, compressed as its name says. Links come first: name → (type, target)."""
    ending = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}.get(path.suffix, "")
    with tarfile.open(path, f"w:{ending}") as tar:
        for name, (kind, target) in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            tar.addfile(link)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    if path.suffix == ".zst":
        path.write_bytes(pa.Codec("zstd").compress(path.read_bytes(), asbytes=True))
    return path


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz", "a.tar.zst"])
@pytest.mark.parametrize("stored", ["in/b.tsv", "./in/b.tsv"])
def test_the_named_member_alone_is_unpacked(tmp_path: Path, name: str, stored: str) -> None:
    archive = make_tar(tmp_path / name, {"a.tsv": b"a", "in/._b.tsv": b"\0\5", stored: TEXT, "c.tsv": b"c"})
    assert is_tar(name)
    unpack(archive, "in/b.tsv", tmp_path / "new" / "b.tsv")
    assert (tmp_path / "new" / "b.tsv").read_bytes() == TEXT
    assert everything(tmp_path) == {name, "new", "new/b.tsv"}


def test_what_is_no_tar() -> None:
    assert not any(map(is_tar, ("a.tsv.gz", "a.zip", "a.json", "a.tsv", "tar")))


def test_an_absent_member_is_named_with_near_ones(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", {"./queries.train.tsv": b"", "./._queries.dev.tsv": b""})
    with pytest.raises(InputError, match=r"no member 'queries\.dev\.tsv'; similar names: queries\.train\.tsv\. Fix: "):
        unpack(archive, "queries.dev.tsv", tmp_path / "out")
    assert everything(tmp_path) == {"a.tar.gz"}


@pytest.mark.parametrize("name", ["../out.txt", "/{folder}/out.txt", "in/../../out.txt"])
def test_a_member_that_points_elsewhere_is_written_where_we_say(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    name = name.format(folder=str(tmp_path).lstrip("/"))
    archive = make_tar(inside / "a.tar", {name: b"hostile", "good.txt": b"good"})
    unpack(archive, "good.txt", inside / "good.txt")
    unpack(archive, name, inside / "chosen.txt")
    assert everything(tmp_path) == {"inside", "inside/a.tar", "inside/good.txt", "inside/chosen.txt"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_regular_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "secret").write_text("secret")
    archive = make_tar(tmp_path / "a.tar", {"good": b"good"}, {"a": (kind, str(tmp_path / "secret"))})
    with pytest.raises(InputError, match="no regular file"):
        unpack(archive, "a", tmp_path / "out")
    assert everything(tmp_path) == {"secret", "a.tar"}


def test_a_link_does_not_lead_a_later_member_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    links = {"in": (tarfile.SYMTYPE, str(tmp_path / "outside"))}
    archive = make_tar(tmp_path / "a.tar", {"in/b.txt": b"b"}, links)
    unpack(archive, "in/b.txt", tmp_path / "here" / "in" / "b.txt")
    assert everything(tmp_path / "outside") == set()
    assert (tmp_path / "here" / "in" / "b.txt").read_bytes() == b"b"


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.bz2"])
def test_a_truncated_archive(tmp_path: Path, name: str) -> None:
    archive = make_tar(tmp_path / name, {"b.tsv": TEXT})
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 3])
    with pytest.raises(InputError, match="cut short or damaged"):
        unpack(archive, "b.tsv", tmp_path / "b.tsv")
    assert everything(tmp_path) == {name}


@pytest.mark.parametrize("content", [b"", b"no archive" * 1000, b"\x1f\x8bnonsense"])
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(InputError, match="cut short or damaged"):
        unpack(tmp_path / "a.tar.gz", "b", tmp_path / "b")


def test_no_archive(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such archive"):
        unpack(tmp_path / "a.tar", "b", tmp_path / "b")


@pytest.mark.parametrize("hostile", ["../x.txt", "/{folder}/x.txt"])
def test_a_hostile_zip_read_in_place_writes_nothing(tmp_path: Path, hostile: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(inside / "a.zip", "w") as archive:
        archive.writestr(hostile.format(folder=str(tmp_path).lstrip("/")), "hostile\n")
        archive.writestr("good.txt", "good\n")
        archive.writestr("in/good.txt", "another\n")
    assert list(iter_lines(inside / "a.zip" / "good.txt")) == [(1, b"good")]
    assert everything(tmp_path) == {"inside", "inside/a.zip"}


def test_a_flipped_bit_of_a_compressed_archive_is_an_error_or_changes_nothing(tmp_path: Path) -> None:
    content = bytes(random.Random(1).choices(b"abcdefgh ", k=3000))
    archive = make_tar(tmp_path / "whole.tar.gz", {"first.txt": content, "second.txt": content})
    damaged = tmp_path / "damaged.tar.gz"
    whole = archive.read_bytes()
    noticed = 0
    for place in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        damaged.write_bytes(flipped)
        output = tmp_path / "out" / str(place)
        try:
            unpack(damaged, "first.txt", output)
        except InputError:
            noticed += 1
            assert not output.exists()
        else:
            assert output.read_bytes() == content
    assert noticed > 0.9 * len(range(0, len(whole), 7))
