"""Rows of named values from whichever file holds them: JSON lines, a JSON list, or parquet in one or several files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..archives import JSON_LINES, PARQUET, shards
from . import documents, jsonl, lines, parquet
from .fields import Row, through

_MAGIC = b"PAR1"
_BLANK = b"\xef\xbb\xbf \t\r\n"


def rows(path: Path, *columns: str) -> Iterator[Row]:
    """The rows of a file, of a folder of such files, or of a pattern; the content tells what a file is.

    The rows of several files are numbered through all of them.

    Args:
        path: the file, folder or pattern.
        columns: what is read of parquet, as far as it is there.

    Raises:
        InputError: there is no such file, or one cannot be read.
    """
    return through(shards(path, PARQUET, JSON_LINES) or [path], partial(_rows, columns))


def is_text(path: Path) -> bool:
    """Whether a path is one file, or a zip's member, and no parquet."""
    return shards(path, PARQUET, JSON_LINES) in ([], [path]) and not path.is_dir() and not _is_parquet(path)


def _is_parquet(file: Path) -> bool:
    if not file.is_file():  # a zip's member, or nothing
        return False
    with file.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def _rows(columns: tuple[str, ...], file: Path) -> Iterator[Row]:
    if _is_parquet(file):
        return parquet.rows(file, (), columns)
    with lines.open_bytes(file) as stream:
        is_list = stream.peek(1).lstrip(_BLANK)[:1] == b"["  # type: ignore[attr-defined]  # it is buffered
    return documents.rows(file) if is_list else jsonl.rows(file)
