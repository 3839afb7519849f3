"""Parquet files of others."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import parquet, read_judgements, read_passages, read_queries
from utility_annotation.settings import Source

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(str.strip)
ID = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"]), min_size=1)


def write(folder: Path, **columns: list) -> Path:
    path = folder / "a.parquet"
    pq.write_table(pa.table(columns), path)
    return path


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(ID, st.none() | TEXT, TEXT), min_size=1))
def test_passages_round_trip(rows: list[tuple[str, str | None, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    docids, titles, texts = map(list, zip(*rows, strict=True))
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    pq.write_table(pa.table({"docid": docids, "title": pa.array(titles, pa.string()), "text": texts}), path)
    assert [row[1:] for row in parquet.read_passages(path)] == rows


def test_a_corpus_may_have_no_titles_and_more_columns_than_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, text=["x"], url=["y"], docid=["1"])
    assert list(parquet.read_passages(path)) == [(1, "1", None, "x")]


def test_numbers_of_every_width_are_ids_and_grades(tmp_path: Path) -> None:
    path = write(
        tmp_path, query_id=pa.array([7], pa.int16()), docid=pa.array([8], pa.uint64()), grade=pa.array([2], pa.int8())
    )
    assert list(parquet.read_judgements(path)) == [(1, "7", "8", 2)]


def test_answers_are_lists(tmp_path: Path) -> None:
    path = write(tmp_path, query_id=["1", "2"], answers=[["a", "b"], []])
    assert [row[1:] for row in parquet.read_answers(path)] == [("1", ["a", "b"]), ("2", [])]


def test_columns_have_the_names_that_the_source_gives_them(tmp_path: Path) -> None:
    path = write(tmp_path, id=["1"], heading=["h"], body=["x"], text=["not this"])
    names = {"docid": "id", "title": "heading", "text": "body"}
    assert list(read_passages(Source(format="parquet", path=str(path), columns=names))) == [(1, "1", "h", "x")]


def test_jsonl_takes_names_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "ask": "why?", "text": "not this"}\n')
    source = Source(format="jsonl", path=str(path), columns={"query_id": "id", "text": "ask"})
    assert list(read_queries(source)) == [(1, "1", "why?")]


def test_a_named_column_stands_in_the_message(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": 1, "d": 2, "rel": "high"}\n')
    source = Source(format="jsonl", path=str(path), columns={"query_id": "q", "docid": "d", "grade": "rel"})
    with pytest.raises(InputError, match=r"line 1: `rel` is str 'high', not an integer"):
        list(read_judgements(source))


@pytest.mark.parametrize(
    ("columns", "names", "problem"),
    [
        ({"id": ["1"], "text": ["x"]}, {}, r"no column 'docid'; its columns are id, text\."),
        ({"docid": ["1"], "text": ["x"]}, {"title": "heading"}, "no column 'heading'"),
        ({"docid": ["1", None], "text": ["x", "y"]}, {}, "item 2: `docid` is missing or null"),
        ({"docid": ["1"], "text": [7]}, {}, "item 1: `text` is int"),
    ],
)
def test_what_is_lacking_is_named(tmp_path: Path, columns: dict, names: dict, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        list(parquet.read_passages(write(tmp_path, **columns), names))


def test_grades_as_mteb_writes_them(tmp_path: Path) -> None:
    names = {"query_id": "query-id", "docid": "corpus-id", "grade": "score"}
    path = write(tmp_path, **{"query-id": ["1", "1"], "corpus-id": ["a", "b"], "score": [1.0, 0.0]})
    assert [row.grade for row in parquet.read_judgements(path, names)] == [1, 0]
    path = write(tmp_path, **{"query-id": ["1"], "corpus-id": ["a"], "score": [0.5]})
    with pytest.raises(InputError, match=r"item 1: `score` is float '0\.5', not an integer"):
        list(parquet.read_judgements(path, names))


def test_a_column_that_such_rows_do_not_have_is_refused(tmp_path: Path) -> None:
    source = Source(format="parquet", path=str(write(tmp_path, id=["1"], text=["x"])), columns={"docid": "id"})
    with pytest.raises(InputError, match="`columns` names docid, which queries do not have"):
        list(read_queries(source))


def test_a_row_of_jsonl_without_a_key_says_what_it_has_and_how_to_name_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "contents": "x"}\n')
    with pytest.raises(InputError, match=r"line 1: `docid` is missing; the row has id, contents\..*`columns`"):
        list(read_passages(Source(format="jsonl", path=str(path))))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("docid,text\n")
    with pytest.raises(InputError, match=r"a\.parquet: this is no parquet file"):
        list(parquet.read_passages(path))


def test_a_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    binary = pa.array([b"\xff"])
    text = pa.Array.from_buffers(pa.string(), 1, binary.buffers())
    with pytest.raises(InputError, match=r"a\.parquet: this is no parquet file that can be read \('utf-8' codec"):
        list(parquet.read_passages(write(tmp_path, docid=["1"], text=text)))  # type: ignore[arg-type]


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        list(parquet.read_queries(tmp_path / "a.parquet"))


def test_a_folder_or_a_pattern_is_read_shard_by_shard(tmp_path: Path) -> None:
    for name, docids in (("b", ["3"]), ("a", ["1", "2"]), ("._a", ["x"]), ("deep/c", ["4"])):
        path = tmp_path / "shards" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"docid": docids, "text": ["t"] * len(docids)}), path)
    (tmp_path / "shards" / "README.md").touch()
    assert [(row.line, row.docid) for row in parquet.read_passages(tmp_path / "shards")] == [
        (1, "1"),
        (2, "2"),
        (3, "3"),
        (4, "4"),
    ]
    assert [row.docid for row in parquet.read_passages(tmp_path / "shards" / "*.parquet")] == ["1", "2", "3"]
    pq.write_table(pa.table({"docid": ["5"]}), tmp_path / "shards" / "e.parquet")
    with pytest.raises(InputError, match=r"shards/e\.parquet: it has no column 'text'"):
        list(parquet.read_passages(tmp_path / "shards"))
    with pytest.raises(InputError, match=r"none-\*\.parquet: there is no such file"):
        list(parquet.read_passages(tmp_path / "none-*.parquet"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: this is no parquet file"):
        list(parquet.read_passages(tmp_path / "empty"))
