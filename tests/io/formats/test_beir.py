"""BEIR folders, zips and single files."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import beir

FILES = {
    "corpus.jsonl": '{"_id": "d1", "title": "", "text": "one"}\n{"_id": "d2", "title": "T", "text": "two"}\n',
    "queries.jsonl": '{"_id": "q1", "text": "which?", "metadata": {}}\n',
    "qrels/test.tsv": "query-id\tcorpus-id\tscore\r\nq1\td2\t1\r\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    return tmp_path / "tiny"


@pytest.fixture(params=["tiny/", "", "./tiny/"])
def zipped(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    with zipfile.ZipFile(tmp_path / "tiny.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(request.param.removeprefix("./") + name, content)
    return tmp_path / "tiny.zip"


def read(path: Path) -> tuple[list, list, list]:
    return list(beir.read_passages(path)), list(beir.read_queries(path)), list(beir.read_judgements(path))


def test_folder_and_zip_read_alike(folder: Path, zipped: Path) -> None:
    passages, queries, judgements = read(folder)
    assert passages == [(1, "d1", None, "one"), (2, "d2", "T", "two")]
    assert queries == [(1, "q1", "which?")]
    assert judgements == [(2, "q1", "d2", 1)]
    assert read(zipped) == (passages, queries, judgements)


@pytest.mark.parametrize(("ending", "compress"), [("gz", gzip.compress), ("xz", lzma.compress)])
def test_a_compressed_file_within_a_folder(folder: Path, ending: str, compress: Callable[[bytes], bytes]) -> None:
    plain = folder / "corpus.jsonl"
    expected = list(beir.read_passages(folder))
    (folder / f"corpus.jsonl.{ending}").write_bytes(compress(plain.read_bytes()))
    plain.unlink()
    assert list(beir.read_passages(folder)) == expected


def test_what_a_mac_or_a_file_manager_adds_is_no_data(folder: Path, tmp_path: Path) -> None:
    expected = read(folder)
    added = ("qrels/._test.tsv", ".corpus.jsonl.swp", "._corpus.jsonl", "qrels/.DS_Store")
    for name in added:
        (folder / name).write_bytes(b"\0\5\x16\7")
    assert read(folder) == expected
    with zipfile.ZipFile(tmp_path / "tiny.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"tiny/{name}", content)
            around, _, file = f"tiny/{name}".rpartition("/")
            archive.writestr(f"__MACOSX/{around}/._{file}", b"\0\5\x16\7")
        for name in (*(f"tiny/{name}" for name in added), *(f"__MACOSX/{name}" for name in FILES)):
            archive.writestr(name, b"\0\5\x16\7")
    assert read(tmp_path / "tiny.zip") == expected


def test_a_hidden_folder_around_the_data_does_not_matter(folder: Path, tmp_path: Path) -> None:
    hidden = tmp_path / ".cache" / "tiny"
    hidden.parent.mkdir()
    expected = read(folder)
    folder.rename(hidden)
    assert read(hidden) == expected


def test_one_of_several_splits_is_named_in_the_path(tmp_path: Path) -> None:
    path = tmp_path / "tiny.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/qrels/test.tsv", FILES["qrels/test.tsv"])
        archive.writestr("tiny/qrels/train.tsv", FILES["qrels/test.tsv"].replace("d2", "d1"))
    with pytest.raises(InputError, match=r"several files.*tiny/qrels/test\.tsv.*train\.tsv"):
        list(beir.read_judgements(path))
    assert list(beir.read_judgements(path / "tiny" / "qrels" / "train.tsv")) == [(2, "q1", "d1", 1)]


def test_one_of_several_forums_is_named_in_the_path(tmp_path: Path) -> None:
    path = tmp_path / "cqadupstack.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for forum in ("android", "english"):
            archive.writestr(f"cqadupstack/{forum}/queries.jsonl", f'{{"_id": "{forum}", "text": "x"}}')
    assert [row.query_id for row in beir.read_queries(path / "cqadupstack" / "english")] == ["english"]
    assert [row.query_id for row in beir.read_queries(path / "android")] == ["android"]


def test_a_folder_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file corpus\.jsonl"):
        list(beir.read_passages(tmp_path))


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"q1\td1\t1\nq2\td1\t1\n", 1, "where BEIR has its header"),
        (b"q1\td1\t1.0\nq2\td1\t1.0\n", 1, "where BEIR has its header"),
        (b"query-id\tcorpus-id\tscore\nq1\td1\n", 2, "2 columns where 3 are due"),
        (b"query-id\tcorpus-id\tscore\nq1\td1\t1.5\n", 2, "`score` is str '1.5'"),
        (b"query-id\tcorpus-id\tscore\n\td1\t1\n", 2, "`query-id` is empty"),
        (b"q1 Q0 d1 1\n", 1, "1 column where 3 are due"),
    ],
)
def test_bad_qrels(tmp_path: Path, content: bytes, line: int, problem: str) -> None:
    path = tmp_path / "test.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"test\.tsv, line {line}: .*{problem}"):
        list(beir.read_judgements(path))


def test_grades_as_mteb_writes_them(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1.0\nq1\td2\t0.0\n")
    assert [row.grade for row in beir.read_judgements(tmp_path / "test.tsv")] == [1, 0]


def test_scifact(shared_data: Path) -> None:
    folder = shared_data / "scifact-beir"
    assert sum(1 for _ in beir.read_passages(folder)) == 5183
    assert sum(1 for _ in beir.read_queries(folder / "queries.jsonl")) == 1109
    train = list(beir.read_judgements(folder / "qrels" / "train.tsv"))
    assert (len(train), len({row.query_id for row in train})) == (919, 809)
    assert {row.grade for row in train} == {1}
