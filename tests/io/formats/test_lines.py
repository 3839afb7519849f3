"""Streaming lines: plain, compressed and zip, line numbers, and what is wrong with a file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats.lines import decode, iter_lines, json_object, lines_of, on_disk


def test_blank_lines_are_skipped_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    content = b"one\n\r\n\ntwo\r\nthree\n  \n \t\r\nfour\n "
    path.write_bytes(content)
    found = [(1, b"one"), (4, b"two"), (5, b"three"), (8, b"four")]
    assert list(iter_lines(path)) == list(lines_of(content, 1)) == found


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = "a\x85b\u2028c\x0bd\x0ce\rf"
    path.write_bytes(text.encode() + b"\n")
    assert [line.decode() for _, line in iter_lines(path)] == [text]


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf1\tx\n")
    assert list(iter_lines(path)) == [(1, b"1\tx")]


@settings(max_examples=50)
@given(texts=st.lists(st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), min_size=1)))
def test_plain_gzip_and_zip_read_alike(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("lines")
    content = "".join(f"x{text}\n" for text in texts).encode()
    (folder / "a.txt").write_bytes(content)
    (folder / "a.gz").write_bytes(gzip.compress(content))
    (folder / "disguised.txt").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/a.txt", content)
    expected = [(number, f"x{text}".encode()) for number, text in enumerate(texts, 1)]
    for name in ("a.txt", "a.gz", "disguised.txt", "a.zip/in/a.txt"):
        assert list(iter_lines(folder / name)) == expected


def test_several_gzip_members_are_one_stream(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert list(iter_lines(path)) == [(1, b"a"), (2, b"b")]


def test_compression_is_known_by_the_content_and_not_by_the_name(tmp_path: Path) -> None:
    """Browsers and tools unpack a file and leave its name, or name a file without its compression."""
    path = tmp_path / "a.gz"
    path.write_bytes(b"plain text\n")
    assert list(iter_lines(path)) == [(1, b"plain text")]
    path.write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(InputError, match="damaged"):
        list(iter_lines(path))


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


COMPRESSIONS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_every_compression_reads_alike_also_within_a_zip(tmp_path: Path, name: str) -> None:
    content = b"".join(b"%d\n" % number for number in range(300_000))
    expected = [(number + 1, b"%d" % number) for number in range(300_000)]
    packed = COMPRESSIONS[name](content[:1000]) + COMPRESSIONS[name](content[1000:])  # as pigz and others write it
    (tmp_path / f"a.{name}").write_bytes(packed)
    (tmp_path / "without").write_bytes(packed)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/a", packed)
    for path in (f"a.{name}", "without", "a.zip/in/a"):
        assert list(iter_lines(tmp_path / path)) == expected


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.99])
@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_truncated_file_names_itself_and_the_line(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / f"a.{name}"
    whole = COMPRESSIONS[name](b"".join(b"%d\n" % (number * 7919 % 10007) for number in range(400_000)))
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match=rf"a\.{name}, line \d+: the compressed data are cut short"):
        list(iter_lines(path))


def test_a_zip_without_a_member_says_how_to_name_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "hello\n")
    with pytest.raises(InputError, match=r"this is a zip file\. Fix: .*FILE\.zip/MEMBER"):
        list(iter_lines(tmp_path / "a.zip"))


def tar(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", content)
    return stream.getvalue()


@pytest.mark.parametrize("in_a_zip", [False, True])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PAR1....PAR1", "this is a parquet file. Fix: set `format` to parquet"),
        (zipped(b"x"), "this is a zip file. Fix: name the file in it"),
        (tar(b"x"), "this is a tar archive. Fix: unpack it; or name it in `downloads`"),
        (gzip.compress(gzip.compress(b"x")), "this is a file that is compressed twice. Fix: decompress it once"),
        ("x".encode("utf-16"), "this is text in UTF-16. Fix: convert the file to UTF-8"),
    ],
    ids=["parquet", "zip", "tar", "twice", "utf-16"],
)
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes, problem: str, in_a_zip: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(zipped(content) if in_a_zip else content)
    with pytest.raises(InputError, match=problem):
        list(iter_lines(path / "a.txt" if in_a_zip else path))


@pytest.mark.parametrize("member", ["", "a.txt"])
def test_a_zip_that_is_cut_short_is_no_zip_without_a_member(tmp_path: Path, member: str) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(b"x" * 99)[:-9])
    with pytest.raises(InputError, match=r"a\.zip: this zip file is cut short or damaged"):
        list(iter_lines(tmp_path / "a.zip" / member))


def test_damaged_zip_member(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello\n" * 1000)
    content = bytearray(path.read_bytes())
    content[200:210] = b"0123456789"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.zip/a\.txt, line \d+: .*CRC"):
        list(iter_lines(path / "a.txt"))


@pytest.mark.parametrize("name", ["absent.tsv", "a.txt/inside", "."])
def test_missing_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="no such file"):
        list(iter_lines(tmp_path / name))


def test_missing_zip_member_cannot_lead_out_of_the_zip(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "hello\n")
    with pytest.raises(InputError, match="no such member"):
        list(iter_lines(tmp_path / "a.zip" / ".." / "a.zip" / ".." / "secret.txt"))


def test_on_disk_is_the_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "hello\n")
    assert on_disk(tmp_path / "a.zip" / "a.txt") == tmp_path / "a.zip"
    assert on_disk(tmp_path / "b.tsv") == tmp_path / "b.tsv"


def test_misdecoded_but_valid_text_is_kept() -> None:
    assert decode("itâ\x80\x99s".encode(), Path("a"), 1) == "itâ\x80\x99s"


@pytest.mark.parametrize("line", [b"ab\xffc", b'{"text": "ab\xffc"}'])
def test_undecodable_byte_is_named(line: bytes) -> None:
    read = json_object if line.startswith(b"{") else decode
    with pytest.raises(InputError, match=r"a\.tsv, line 7: byte 0xff at position \d+ .* Fix: "):
        read(line, Path("a.tsv"), 7)


@pytest.mark.parametrize("line", [b"{", b"[1]", b'"a"', b'{"a": "\\ud800"}', b'{"a": 1} {}'])
def test_what_is_no_json_object(line: bytes) -> None:
    with pytest.raises(InputError, match=r"a, line 3: this is "):
        json_object(line, Path("a"), 3)


def test_what_python_writes_for_numbers_that_are_none_is_read() -> None:
    """Other trainers' rows have such scores; no reader takes them for a text or a grade."""
    found = json_object(b'{"score": NaN, "least": -Infinity, "text": "\\u00e9"}', Path("a"), 3)
    assert (math.isnan(found["score"]), found["least"], found["text"]) == (True, -math.inf, "\u00e9")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a, line 3: this is not JSON"):
        json_object(b'{"score": NaN, "text": "\\ud800"}', Path("a"), 3)


def packed(folder: Path, method: int) -> Path:
    """A zip with a member of some thousand lines, packed in this way."""
    with zipfile.ZipFile(folder / "a.zip", "w", method) as archive:
        archive.writestr("a.txt", b"".join(b"%d\n" % (number * 7919 % 10007) for number in range(40_000)))
    return folder / "a.zip"


def state_in_headers(path: Path, offset: int, value: int) -> None:
    """Set a number of two bytes in the member's header and in the zip's directory, where it stands two bytes later."""
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\1\2")
    for place in (offset, directory + offset + 2):
        content[place : place + 2] = value.to_bytes(2, "little")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [(6, 1, "encrypted"), (6, 0x41, "strong encryption"), (8, 9, "compression method"), (8, 99, "compression method")],
    ids=["encrypted", "strongly encrypted", "Deflate64", "AES"],
)
def test_a_zip_that_python_does_not_read_says_what_to_do(tmp_path: Path, offset: int, value: int, reason: str) -> None:
    path = packed(tmp_path, zipfile.ZIP_DEFLATED)
    state_in_headers(path, offset, value)
    with pytest.raises(
        InputError, match=rf"a\.zip/a\.txt: this zip file cannot be read \(.*{reason}.*Fix: .*unpack it"
    ):
        list(iter_lines(path / "a.txt"))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_anywhere_in_a_zip_is_an_error_that_names_the_file(tmp_path: Path, method: int) -> None:
    path = packed(tmp_path, method)
    whole, expected = path.read_bytes(), list(iter_lines(path / "a.txt"))
    noticed = 0
    for place in range(0, len(whole), len(whole) // 150):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            found = list(iter_lines(path / "a.txt"))
        except InputError as error:
            noticed += str(error).startswith(str(path))
        else:
            assert found == expected
    assert noticed > 100


LIMITED = """
import pathlib, re, sys
from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import delimited, documents, lines, topics
read = {"lines": lines.iter_lines, "blocks": lines.iter_blocks, "table": delimited.rows, "topics": topics.read_queries,
        "list": documents.iter_objects}[sys.argv[1]]
def peak():
    return int(re.search("VmHWM:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) >> 10
before = peak()
try:
    for _ in read(pathlib.Path("a.zip/a")):
        pass
except InputError as error:
    print(f"error: {error}")
print(peak() - before)
"""
BOMBS = {
    "lines": (b"first\n", b"x"),
    "blocks": (b"first\n", b"x"),
    "table": (b'a,b\n1,"', b"x" * 1023 + b"\n"),
    "topics": (b"", b"x" * 1023 + b"\n"),
    "list": (b'[{"a": "b"}, {"a": "', b"x"),
}


@pytest.mark.process
@pytest.mark.parametrize("kind", BOMBS)
def test_a_small_zip_does_not_fill_the_memory(tmp_path: Path, root: Path, kind: str) -> None:
    first, rest = BOMBS[kind]
    with (
        zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a", "w", force_zip64=True) as member,
    ):
        member.write(first)
        for _ in range(300):
            member.write(rest * ((1 << 20) // len(rest)))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, kind],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root / "workflow" / "scripts")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    error, megabytes = done.stdout.splitlines()
    assert re.match(r"error: a\.zip/a, (line|item) \d+: .*(longer than 32 MB|larger than field limit)", error)
    assert int(megabytes) < 150
