"""Parquet files of other publishers; see :mod:`.records` for the columns. Rows count from 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...common.errors import InputError, ItemNumber
from ...common.progress import counted
from ..archives import PARQUET, shards
from ..row_groups import batches
from . import records
from .fields import LINE, Row, through
from .rows import Answers, Judgement, PassageRow, Query

_BATCH_ROWS = 4096


def read_passages(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[PassageRow]:
    """Columns ``docid``, ``title`` (may be absent) and ``text``."""
    return records.passages(_rows(path, columns, "docid", "text", optional="title"), columns)


def read_queries(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Query]:
    """Columns ``query_id`` and ``text``."""
    return records.queries(_rows(path, columns, "query_id", "text"), columns)


def read_judgements(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Judgement]:
    """Columns ``query_id``, ``docid`` and ``grade``."""
    return records.judgements(_rows(path, columns, "query_id", "docid", "grade"), columns)


def read_answers(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Answers]:
    """Columns ``query_id`` and ``answers`` (a list of strings)."""
    return records.answers(_rows(path, columns, "query_id", "answers"), columns)


def _rows(path: Path, columns: records.Columns, *needed: str, optional: str = "") -> Iterator[Row]:
    """The rows of the named columns, in flat memory. An optional column must exist if ``columns`` names it.

    The rows of a folder or of a pattern are numbered through all its files.

    Raises:
        InputError: a file does not exist, is no parquet file, or lacks a column.
    """
    wanted = [columns.get(name, name) for name in needed] + [columns[name] for name in columns if name == optional]
    wanted = [name for name in wanted if name != LINE]
    return through(shards(path, PARQUET) or [path], lambda file: rows(file, wanted, [optional]))


def rows(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of one file: the columns that it must have, and others as far as it has them.

    Raises:
        InputError: it does not exist, is no parquet file, or lacks a column.
    """
    return (Row(path, ItemNumber(number), row) for number, row in enumerate(_values(path, needed, optional), 1))


def _values(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa  # here, so that a configuration is checked without it
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            if lacking := [name for name in needed if name not in found]:
                raise InputError(
                    f"it has no column {', '.join(map(repr, lacking))}; its columns are {', '.join(found)}.",
                    hint="name the columns in the source's `columns`, such as {docid: id}, or rename them.",
                    path=path,
                )
            read = [*needed, *(name for name in optional if name in found and name not in needed)]
            values = (row for batch in batches(file, rows=_BATCH_ROWS, columns=read) for row in batch.to_pylist())
            yield from counted(values, f"reading {path.name}", "rows", file.metadata.num_rows)
    except FileNotFoundError:
        raise InputError("there is no such file.", hint="correct `path`, or fetch the file.", path=path) from None
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"this is no parquet file that can be read ({error}).",
            hint="check that this is the right file, and its `format`.",
            path=path,
        ) from None
