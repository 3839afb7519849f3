"""Compressed streams: gzip, bzip2, xz and zstandard, known by their first bytes and not by a file's name.

What reads them is imported where it is used, so that a configuration is checked without it.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from ..common.errors import InputError

ENDINGS = (".gz", ".bz2", ".xz", ".zst")
"""How names of compressed files end."""
DAMAGED = (EOFError, zlib.error, zipfile.BadZipFile)
"""What reading compressed data that are broken or cut short raises."""

_BUFFER_BYTES = 1 << 20


def decompressed(stream: io.BufferedReader[Any]) -> io.BufferedReader[Any]:
    """The bytes that a stream holds, decompressed if they are compressed; several parts in a row are one stream."""
    begins = stream.peek(6)[:6]
    opened: Any
    if begins.startswith(b"\x1f\x8b"):
        import gzip

        opened = gzip.GzipFile(fileobj=stream)
    elif begins.startswith(b"BZh"):
        import bz2

        opened = bz2.BZ2File(stream)
    elif begins.startswith(b"\xfd7zXZ\0"):
        import lzma

        opened = lzma.LZMAFile(stream)  # noqa: SIM115  # whoever opened the stream closes it
    elif begins.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa

        opened = pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")
    else:
        return stream
    return io.BufferedReader(_Opened(opened), _BUFFER_BYTES)


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file.

    Raises:
        InputError: it is damaged, or of a kind that Python does not read.
    """
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
        except Exception as error:
            raise _unreadable(error, path) from None
        yield archive


@contextmanager
def zip_member(archive: zipfile.ZipFile, name: str, path: Path) -> Iterator[tuple[io.BufferedReader[Any], IO[bytes]]]:
    """What a zip's member holds, and the member itself, which tells how much of it was read.

    Raises:
        InputError: it is encrypted, damaged, or packed in a way that Python does not read, such as Deflate64.
    """
    with ExitStack() as stack:
        try:
            member = stack.enter_context(archive.open(name))
        except Exception as error:
            raise _unreadable(error, path) from None
        yield io.BufferedReader(_Opened(member), _BUFFER_BYTES), member


def _unreadable(error: Exception, path: Path) -> InputError:
    if isinstance(error, OSError) and error.errno is not None:
        raise error
    return InputError(
        f"this zip file cannot be read ({error}).",
        hint="fetch or copy it again; if it is encrypted or packed in a rare way, unpack it with the program that made "
        "it, and give the file's own path.",
        path=path,
    )


class _Opened(io.RawIOBase):
    """A decompressed stream that raises EOFError for whatever its library raises, except what the system reports."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise EOFError(str(error)) from None
        buffer[: len(data)] = data
        return len(data)
