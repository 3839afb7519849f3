"""Rows of a parquet file in flat memory.

A reader that is given several row groups keeps the buffers of those it has passed. So each row group is read by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


def batches(
    file: pq.ParquetFile,
    *,
    rows: int = 65_536,
    columns: Sequence[str] | None = None,
    groups: Iterable[int] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows in order, at most ``rows`` at a time and of one row group.

    Args:
        file: an open file.
        rows: the most rows of a batch.
        columns: those that are read; None for all.
        groups: the row groups that are read, in order; None for all.
    """
    names = None if columns is None else list(columns)
    for group in range(file.num_row_groups) if groups is None else groups:
        yield from file.iter_batches(batch_size=rows, row_groups=[group], columns=names)
