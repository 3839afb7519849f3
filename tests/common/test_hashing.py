"""Hashes of rows depend on the rows' values and on nothing else."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.common import hashing
from utility_annotation.common.hashing import random_order, row_hashes

ROWS = st.lists(st.tuples(st.text("a\0é1", max_size=20), st.text("a\0é1", max_size=20)), max_size=30)


def table_of(rows: list[tuple[str, str]]) -> pa.Table:
    left, right = zip(*rows, strict=True) if rows else ((), ())
    return pa.table({"left": pa.array(left, pa.string()), "right": pa.array(right, pa.string())})


@given(rows=ROWS)
def test_equal_rows_share_a_hash_and_others_do_not(rows: list[tuple[str, str]]) -> None:
    hashes = row_hashes(table_of(rows)).tolist()
    assert len(set(zip(rows, hashes, strict=True))) == len(set(rows)) == len(set(hashes))


@given(rows=ROWS, cuts=st.tuples(st.integers(0, 30), st.integers(0, 30)))
def test_hashes_do_not_depend_on_neighbours_and_chunks(rows: list[tuple[str, str]], cuts: tuple[int, int]) -> None:
    first, last = sorted(cuts)
    table = table_of(rows)
    pieces = pa.concat_tables([table.slice(0, first), table.slice(first, last - first), table.slice(last)])
    assert row_hashes(pieces).tolist() == [int(row_hashes(table_of([row]))[0]) for row in rows]


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of([(f"q{number}", "d" * number) for number in range(50)])
    whole = row_hashes(table).tolist()
    monkeypatch.setattr(hashing, "_BLOCK_ROWS", 7)
    assert row_hashes(table).tolist() == whole


def test_a_hundred_thousand_numbers_have_as_many_hashes() -> None:
    numbers = pa.array(range(100_000)).cast(pa.string())
    assert len(set(row_hashes(pa.table({"query_id": numbers, "docid": numbers})).tolist())) == 100_000


@pytest.mark.parametrize("kind", [pa.large_string(), pa.int32()])
def test_other_types_are_refused(kind: pa.DataType) -> None:
    with pytest.raises(TypeError, match="only strings are hashed"):
        row_hashes(pa.table({"docid": pa.array([1]).cast(kind)}))


def test_a_random_order_is_stable() -> None:
    # these values must never change, or every sample of questions changes with them
    assert random_order(["a", "b", "c", "d", "é"], 13) == ["a", "b", "é", "d", "c"]


@given(ids=st.lists(st.text(max_size=4), unique=True), seed=st.integers())
def test_a_random_order_depends_on_the_ids_alone(ids: list[str], seed: int) -> None:
    order = random_order(ids, seed)
    assert sorted(order) == sorted(ids)
    assert random_order(reversed(ids), seed) == order
    assert random_order(ids[1:], seed) == [each for each in order if each not in ids[:1]]


def test_every_id_is_first_equally_often() -> None:
    first = Counter(random_order("abcde", seed)[0] for seed in range(5000))
    assert all(850 < first[each] < 1150 for each in "abcde")
