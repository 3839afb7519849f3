"""Streaming lines out of a file or a zip's member, compressed or not, in flat memory, with their line numbers."""

from __future__ import annotations

import codecs
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson

from ...common.errors import InputError
from ...common.progress import Progress
from ..archives import on_disk
from ..compression import DAMAGED, decompressed, opened_zip, zip_member

_BUFFER_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 24
LONGEST = 1 << 25
"""Bytes of a line or an item. A few kB of a compressed file may hold one that exceeds any memory."""

_NO_TEXT: tuple[tuple[int, bytes | tuple[bytes, ...], str, str], ...] = (
    (0, b"PK\3\4", "a zip file", "name the file in it: FILE.zip/MEMBER; unpack a zip that is in a zip"),
    (0, b"PAR1", "a parquet file", "set `format` to parquet"),
    (0, b"\x1f\x8b", "a file that is compressed twice", "decompress it once"),
    (0, (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "text in UTF-16", "convert the file to UTF-8"),
    (257, b"ustar", "a tar archive", "unpack it; or name it in `downloads`, and its member as raw/NAME/MEMBER"),
)
"""What is no text in UTF-8: where and how it begins, what it is, and what to do."""
_LONGEST_BEGINNING = 512


def iter_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Yield (number, line) for every line that is not blank; numbers count from 1, blank lines included.

    Only ``\n`` and ``\r\n`` end a line: other characters that Unicode calls line breaks do occur inside passages. A
    byte order mark before the first line is dropped. A compressed file is known by its first bytes; a path may lead on
    into a zip file (``scifact.zip/scifact/corpus.jsonl``), which is read in place.

    Raises:
        InputError: there is no such file, or its compressed data are broken or cut short.
    """
    for number, line in iter_whole_lines(path):
        line = line.rstrip(b"\r\n")
        if line and not line.isspace():
            yield number, line


def iter_whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Like ``iter_lines``, but with the blank lines, and each line with its end."""
    number = 0
    with open_bytes(path) as stream:
        try:
            for number, line in enumerate(iter(partial(stream.readline, LONGEST), b""), 1):
                if len(line) == LONGEST:
                    raise too_long(path, number)
                yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        except DAMAGED as error:
            raise damaged(error, path, number + 1) from None


def iter_blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (number of its first line, block) for blocks of whole lines, about 16 MB each; see :func:`lines_of`."""
    number, block = 1, b""
    with open_bytes(path) as stream:
        try:
            while block := stream.read(_BLOCK_BYTES):
                rest = stream.readline(LONGEST)
                if len(rest) == LONGEST:
                    raise too_long(path, number + block.count(b"\n"))
                block += rest
                yield number, block.removeprefix(codecs.BOM_UTF8) if number == 1 else block
                number += block.count(b"\n")
        except DAMAGED as error:
            raise damaged(error, path, number + block.count(b"\n")) from None


def lines_of(block: bytes, number: int) -> Iterator[tuple[int, bytes]]:
    """What :func:`iter_lines` yields of a block whose first line has this number."""
    for place, line in enumerate(block.split(b"\n"), number):
        line = line.rstrip(b"\r")
        if line and not line.isspace():
            yield place, line


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file or a zip's member for reading bytes, decompressed."""
    container = on_disk(path)
    if container != path and zipfile.is_zipfile(container):
        with opened_zip(container) as archive:
            name = path.relative_to(container).as_posix()
            if name not in archive.namelist():
                raise InputError("the zip file has no such member.", hint="correct the path after `.zip/`.", path=path)
            progress = Progress(f"reading {path}", archive.getinfo(name).file_size, "bytes")
            with zip_member(archive, name, path) as (stream, member), progress.watching(member.tell):
                yield _decompressed(stream, path)
        return
    if container.is_file() and _is_cut_zip(container):
        hint = "fetch or copy the zip again and compare its checksum with the publisher's."
        raise InputError("this zip file is cut short or damaged.", hint=hint, path=container)
    if not path.is_file():
        raise InputError("there is no such file.", hint="correct `path`, or fetch the file.", path=path)
    progress = Progress(f"reading {path}", path.stat().st_size, "bytes")
    with io.BufferedReader(io.FileIO(path), _BUFFER_BYTES) as stream, progress.watching(stream.raw.tell):
        yield _decompressed(stream, path)


def _is_cut_zip(file: Path) -> bool:
    """Whether a file begins as a zip, and does not have the end that a zip needs."""
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\3\4" and not zipfile.is_zipfile(file)


def _decompressed(stream: io.BufferedReader[Any], path: Path) -> IO[bytes]:
    try:
        opened = decompressed(stream)
        begins = opened.peek(_LONGEST_BEGINNING)
    except DAMAGED as error:  # the beginning is wrong already
        raise damaged(error, path, 1) from None
    for place, mark, kind, hint in _NO_TEXT:
        if begins[place:].startswith(mark):
            raise InputError(f"this is {kind}.", hint=f"{hint}.", path=path)
    return opened


def damaged(error: Exception, path: Path, line: int) -> InputError:
    """The error for compressed data that can be read up to ``line`` only."""
    return InputError(
        f"the compressed data are cut short or damaged from here on ({error}).",
        hint="fetch or copy the file again and compare its checksum with the publisher's.",
        path=path,
        line=line,
    )


def too_long(path: Path, line: int) -> InputError:
    """The error for a line or an item that memory should not hold."""
    return InputError(
        f"this is longer than {LONGEST >> 20} MB.",
        hint="check that this is the right file, and its `format`.",
        path=path,
        line=line,
    )


def decode(line: bytes, path: Path, number: int) -> str:
    """A line as text; mis-decoded text that is valid UTF-8 stays as it is.

    Raises:
        InputError: a byte that is not UTF-8.
    """
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte 0x{line[error.start]:02x} at position {error.start + 1} of the line is not UTF-8.",
            hint="convert the file to UTF-8, or correct the line.",
            path=path,
            line=number,
        ) from None


def columns(line: bytes, names: tuple[str, ...], path: Path, number: int) -> list[str]:
    """The fields of a tab-separated line without quoting, exactly as many as ``names``."""
    fields = decode(line, path, number).split("\t")
    if len(fields) != len(names):
        raise wrong_columns(len(fields), names, path, number, "tabs")
    return fields


def wrong_columns(found: int, names: tuple[str, ...], path: Path, number: int, separator: str) -> InputError:
    """The error for a line with another number of columns than ``names``."""
    return InputError(
        f"{found} column{'' if found == 1 else 's'} where {len(names)} are due ({', '.join(names)}).",
        hint=f"give the line exactly these columns, separated by {separator}.",
        path=path,
        line=number,
    )


def json_object(line: bytes, path: Path, number: int) -> dict[str, object]:
    """The JSON object that a line holds.

    Raises:
        InputError: a byte that is not UTF-8, or a line that is no JSON object.
    """
    value, problem = None, ""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        text, problem = decode(line, path, number), f"this is not JSON ({error})."
        if "NaN" in text or "Infinity" in text:  # which Python's own module writes
            with suppress(ValueError):
                value = json.loads(text)
                json.dumps(value, ensure_ascii=False).encode()  # an error if a character is half of a pair
                problem = ""
    if type(value) is dict and not problem:
        return value
    problem = problem or f"this is JSON, but a {type(value).__name__} and not an object."
    hint = "put one JSON object, {…}, on each line" + "; format json reads a list" * line.startswith(b"[")
    raise InputError(problem, hint=f"{hint}.", path=path, line=number)
