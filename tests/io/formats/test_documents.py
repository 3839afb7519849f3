"""Items out of large JSON documents: what is read, and where a broken document breaks."""

from __future__ import annotations

import gzip
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import documents

TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)


@settings(max_examples=50)
@given(rows=st.lists(OBJECTS), indent=st.booleans(), pack=st.sampled_from([bytes, gzip.compress]))
def test_objects_round_trip(rows: list[dict], indent: bool, pack: Callable, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("documents") / "a.json"
    path.write_bytes(pack(orjson.dumps(rows, option=orjson.OPT_INDENT_2 if indent else None)))
    assert list(documents.iter_objects(path)) == list(enumerate(rows, 1))


@settings(max_examples=50)
@given(before=OBJECTS, column=OBJECTS, after=OBJECTS)
def test_a_column_is_found_wherever_it_stands(before: dict, column: dict, after: dict, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("documents") / "a.json"
    path.write_bytes(orjson.dumps({"before": before, "wanted": column, "after": after}))
    rows = list(documents.iter_column(path, "wanted"))
    assert [number for number, _, _ in rows] == list(range(1, len(column) + 1))
    assert {key: value for _, key, value in rows} == column


def test_a_byte_order_mark_and_blanks_before_the_document(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf \r\n\t[{"a": 1}]\n')
    assert list(documents.iter_objects(tmp_path / "a.json")) == [(1, {"a": 1})]


def test_a_member_of_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("data/a.json", '[{"a": 0.5}]')
    assert list(documents.iter_objects(tmp_path / "a.zip" / "data" / "a.json")) == [(1, {"a": 0.5})]


BAD = [
    (b'[{"a": 1}, {"a": 2}, {"a": ', "item 3: this is not JSON from here on .*premature EOF"),
    (b'[{"a": 1}, {"a": 2},]', "item 3: this is not JSON"),
    (b'[{"a": 1}] more', "item 2: this is not JSON"),
    (b'[{"a": 1}, {"a": "\xff"}]', "item 2: this is not JSON .*UTF8"),
    (b'[{"a": 1}, [2]]', "item 2: this is a list and not an object"),
    (b'{"a": 1}\n{"a": 2}\n', r"not a list \(it begins with '{'\)"),
    (b"a,b\n1,2\n", r"not a list \(it begins with 'a'\)"),
    (b"", "item 1: this is not JSON"),
    (gzip.compress(b'[{"a": 1}, {"a": 2}]', mtime=0)[:-9], r"the compressed data are cut short"),
]


@pytest.mark.parametrize(("content", "problem"), BAD)
def test_bad_documents(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json(, |: ).*{problem}.* Fix: "):
        list(documents.iter_objects(tmp_path / "a.json"))


def test_a_list_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'[{"a": 1}]')
    with pytest.raises(InputError, match=r"a\.json: this JSON document is not an object"):
        list(documents.iter_column(tmp_path / "a.json", "a"))


@pytest.mark.parametrize("kind", ["objects", "column"])
def test_memory_does_not_grow_with_the_document(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.json"
    if kind == "objects":
        path.write_bytes(orjson.dumps([{"text": "x" * 1000}] * 20_000))
        rows = documents.iter_objects(path)
    else:
        path.write_bytes(orjson.dumps({"large": {str(n): "x" * 1000 for n in range(20_000)}, "small": {"0": 1}}))
        rows = documents.iter_column(path, "small")  # type: ignore[assignment]
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows) == (20_000 if kind == "objects" else 1)
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()
