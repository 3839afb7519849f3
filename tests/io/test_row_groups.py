"""Row groups, one after the other: the rows of the whole file, and the memory of one group."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.io.row_groups import batches


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 9), max_size=6),
    rows=st.integers(1, 12),
    columns=st.sampled_from([None, ["b"], ["b", "a"]]),
)
def test_the_rows_are_those_of_the_file_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], rows: int, columns: list[str] | None
) -> None:
    table = pa.table({"a": range(sum(sizes)), "b": [str(number) for number in range(sum(sizes))]})
    path = tmp_path_factory.mktemp("rows") / "file.parquet"
    ends = np.cumsum([0, *sizes]).tolist()
    with pq.ParquetWriter(path, table.schema) as writer:
        for start, end in pairwise(ends):
            writer.write_table(table.slice(start, end - start))
    with pq.ParquetFile(path) as file:
        found = list(batches(file, rows=rows, columns=columns))
        assert all(0 < batch.num_rows <= rows for batch in found)
        names = columns or table.column_names
        assert [row for batch in found for row in batch.to_pylist()] == table.select(names).to_pylist()
        some = [group for group in range(file.num_row_groups) if group % 2]
        own = [row["b"] for batch in batches(file, rows=rows, groups=some) for row in batch.to_pylist()]
    assert own == [str(number) for group in some for number in range(ends[group], ends[group + 1])]


def test_the_memory_is_that_of_a_row_group_however_many_there_are(tmp_path: Path) -> None:
    groups, rows, length = 40, 100, 10_000
    draw = np.random.default_rng(1)
    with pq.ParquetWriter(tmp_path / "file.parquet", pa.schema({"text": pa.large_binary()})) as writer:
        for _ in range(groups):
            writer.write_table(
                pa.table({"text": pa.array([draw.bytes(length) for _ in range(rows)], pa.large_binary())})
            )
    before, most = pa.total_allocated_bytes(), 0
    with pq.ParquetFile(tmp_path / "file.parquet") as file:
        for _ in batches(file, rows=10):
            most = max(most, pa.total_allocated_bytes() - before)
    assert most < 6 * rows * length
