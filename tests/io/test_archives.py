"""One member of a tar archive; what a hostile archive or zip cannot do."""

from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import sys
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


def test_a_damaged_copy_of_the_user_s_own_is_not_to_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "own.tar.gz").write_bytes(b"no archive")
    (tmp_path / "fetched.tar.gz").write_bytes(b"no archive")
    (tmp_path / "a.tar.gz").symlink_to(tmp_path / "own.tar.gz")
    with pytest.raises(InputError, match="Fix: copy your own file again"):
        unpack(tmp_path / "a.tar.gz", "b", tmp_path / "b")
    with pytest.raises(InputError, match="Fix: delete the archive to download it again"):
        unpack(tmp_path / "fetched.tar.gz", "b", tmp_path / "b")


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


def header(kind: bytes, size: int, content: bytes = b"") -> bytes:
    """A tar header of this type that states a size, with some content, up to the next block."""
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def record(key: str, value: str) -> bytes:
    """A PAX record."""
    rest = len(f" {key}={value}\n")
    length = rest + len(str(rest + len(str(rest))))
    return f"{length} {key}={value}\n".encode()


def extended(kind: bytes, content: bytes) -> bytes:
    return header(kind, len(content), content)


SPARSE = extended(
    b"x", b"".join(record(f"GNU.sparse.{key}", "1") for key in ("major", "realsize")) + record("GNU.sparse.minor", "0")
)
OLD_SPARSE = bytearray(header(b"S", 512))
OLD_SPARSE[482] = 1  # the map goes on in the next block
OLD_SPARSE[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(OLD_SPARSE))[0]
MB = bytes(1 << 20)
BOMBS: dict[str, list[tuple[bytes, int]]] = {
    "a long name": [(header(b"L", 1 << 30), 1), (MB, 1024)],
    "a long link": [(header(b"K", 1 << 30), 1), (MB, 1024)],
    "PAX records": [(header(b"x", 1 << 30), 1), (MB, 1024)],
    "PAX records of all members": [(header(b"g", 1 << 30), 1), (MB, 1024)],
    "many PAX records of all members": [(extended(b"g", record(f"{n}", "v" * 60_000)), 1) for n in range(6_000)],
    "long names in a row": [(extended(b"L", b"n" * 60_000), 7_000)],
    "an old sparse map": [(bytes(OLD_SPARSE), 1), (b"7".zfill(12) * 42 + b"\1" * 8, 10**6)],
    "a sparse map": [(SPARSE + header(b"0", 1 << 30), 1), (b"9" * 9 + b"\n", 1), (b"1\n" * 10**6, 100)],
    "a sparse map of words": [(extended(b"x", record("GNU.sparse.map", "a,b")) + header(b"0", 0), 1)],
}
UNPACK = """
import pathlib, re, sys
from utility_annotation.common.errors import InputError
from utility_annotation.io.archives import unpack
try:
    unpack(pathlib.Path("a.tar.gz"), "wanted", pathlib.Path("out"))
except InputError as error:
    print(f"error: {error}")
print(int(re.search("VmHWM:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) >> 10)
"""


@pytest.mark.process
@pytest.mark.parametrize("kind", BOMBS)
def test_headers_of_a_tar_do_not_fill_the_memory(tmp_path: Path, root: Path, kind: str) -> None:
    with (tmp_path / "a.tar.gz").open("wb") as file:
        for content, times in BOMBS[kind]:
            packed = gzip.compress(content, 1)
            file.writelines(packed for _ in range(times))
    done = subprocess.run(
        [sys.executable, "-c", UNPACK],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root / "workflow" / "scripts")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    error, megabytes = done.stdout.splitlines()
    assert error.startswith("error: a.tar.gz: the archive is cut short or damaged (")
    assert int(megabytes) < 150
    assert everything(tmp_path) == {"a.tar.gz"}
