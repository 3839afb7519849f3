"""Rows of named values from whichever file holds them: JSON lines, a JSON list, or parquet in one or several files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from ...common.errors import ItemNumber
from ..archives import shards
from . import documents, jsonl, lines, parquet
from .fields import Row

_MAGIC = b"PAR1"
_BLANK = b"\xef\xbb\xbf \t\r\n"


def rows(path: Path, *columns: str) -> Iterator[Row]:
    """The rows of a file, of a folder of parquet files, or of a pattern; the content tells what a file is.

    The rows of several files are numbered through all of them.

    Args:
        path: the file, folder or pattern.
        columns: what is read of parquet, as far as it is there.

    Raises:
        InputError: there is no such file, or one cannot be read.
    """
    files = shards(path, ".parquet") or [path]
    found = chain.from_iterable(_rows(file, columns) for file in files)
    if len(files) == 1:
        return found
    return (Row(row.path, ItemNumber(number), row.values) for number, row in enumerate(found, 1))


def is_parquet(path: Path) -> bool:
    """Whether a path leads to parquet: a file, or the first of a folder or of a pattern."""
    file = next(iter(shards(path, ".parquet")), None)
    if file is None:
        return False
    with file.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    if is_parquet(file):
        return parquet.rows(file, (), columns)
    with lines.open_bytes(file) as stream:
        is_list = stream.peek(1).lstrip(_BLANK)[:1] == b"["  # type: ignore[attr-defined]  # it is buffered
    return documents.rows(file) if is_list else jsonl.rows(file)
