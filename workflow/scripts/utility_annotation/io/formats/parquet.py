"""Parquet files of others; see :mod:`.records` for their columns. Rows count from 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...common.errors import InputError, ItemNumber
from ...common.progress import counted
from . import records
from .rows import Answers, Judgement, PassageRow, Query

_BATCH_ROWS = 4096


def read_passages(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[PassageRow]:
    """Columns ``docid``, ``title`` (may be absent) and ``text``."""
    return records.passages(_rows(path, ("docid", "text"), ("title",), columns), path, columns)


def read_queries(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Query]:
    """Columns ``query_id`` and ``text``."""
    return records.queries(_rows(path, ("query_id", "text"), (), columns), path, columns)


def read_judgements(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Judgement]:
    """Columns ``query_id``, ``docid`` and ``grade``."""
    return records.judgements(_rows(path, ("query_id", "docid", "grade"), (), columns), path, columns)


def read_answers(path: Path, columns: records.Columns = records.OWN_NAMES) -> Iterator[Answers]:
    """Columns ``query_id`` and ``answers`` (a list of strings)."""
    return records.answers(_rows(path, ("query_id", "answers"), (), columns), path, columns)


def _rows(path: Path, needed: tuple[str, ...], optional: tuple[str, ...], columns: records.Columns) -> records.Records:
    """The rows, of the named columns alone, in flat memory.

    Raises:
        InputError: no such file, no parquet file, or a column that it lacks.
    """
    import pyarrow as pa  # here, so that a configuration is checked without it
    import pyarrow.parquet as pq

    wanted = [columns.get(name, name) for name in needed]
    named = [columns[name] for name in optional if name in columns]  # asked for, so it has to be there
    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            if lacking := [name for name in (*wanted, *named) if name not in found]:
                raise InputError(
                    f"it has no column {', '.join(map(repr, lacking))}; its columns are {', '.join(found)}.",
                    hint="name the columns in the source's `columns`, such as {docid: id}, or rename them.",
                    path=path,
                )
            read = wanted + [name for name in (columns.get(name, name) for name in optional) if name in found]
            batches = file.iter_batches(batch_size=_BATCH_ROWS, columns=read)
            rows = (row for batch in batches for row in batch.to_pylist())
            for number, row in enumerate(counted(rows, f"reading {path.name}", "rows", file.metadata.num_rows), 1):
                yield ItemNumber(number), row
    except FileNotFoundError:
        raise InputError("there is no such file.", hint="correct `path`, or fetch the file.", path=path) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"this is no parquet file that can be read ({error}).",
            hint="check that this is the right file, and its `format`.",
            path=path,
        ) from None
