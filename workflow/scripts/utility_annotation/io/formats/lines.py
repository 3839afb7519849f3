"""Streaming lines out of a file or a zip's member, compressed or not, in flat memory, with their line numbers."""

from __future__ import annotations

import codecs
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
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


def iter_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Yield (number, line) for every line that is not empty; numbers count from 1, empty lines included.

    Only ``\n`` and ``\r\n`` end a line: other characters that Unicode calls line breaks do occur inside passages. A
    byte order mark before the first line is dropped. A compressed file is known by its first bytes; a path may lead on
    into a zip file (``scifact.zip/scifact/corpus.jsonl``), which is read in place.

    Raises:
        InputError: there is no such file, or its compressed data are broken or cut short.
    """
    for number, line in iter_whole_lines(path):
        line = line.rstrip(b"\r\n")
        if line:
            yield number, line


def iter_whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Like ``iter_lines``, but with the empty lines, and each line with its end."""
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
        if line:
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
    if not path.is_file():
        raise InputError("there is no such file.", hint="correct `path`, or fetch the file.", path=path)
    progress = Progress(f"reading {path}", path.stat().st_size, "bytes")
    with io.BufferedReader(io.FileIO(path), _BUFFER_BYTES) as stream, progress.watching(stream.raw.tell):
        if stream.peek(4)[:4] == b"PK\3\4":
            hint = "name the file in it: FILE.zip/MEMBER."
            raise InputError("this is a zip file.", hint=hint, path=path)
        yield _decompressed(stream, path)


def _decompressed(stream: io.BufferedReader[Any], path: Path) -> IO[bytes]:
    try:
        return decompressed(stream)
    except DAMAGED as error:  # a zip's member of which the beginning is wrong already
        raise damaged(error, path, 1) from None


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
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        decode(line, path, number)
        problem = f"this is not JSON ({error})."
    else:
        if type(value) is dict:
            return value
        problem = f"this is JSON, but a {type(value).__name__} and not an object."
    hint = "put one JSON object, {…}, on each line" + "; format json reads a list" * line.startswith(b"[")
    raise InputError(problem, hint=f"{hint}.", path=path, line=number)
