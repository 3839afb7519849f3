"""Outside files into contracts, and every kind of bad input: one error with file and line, nothing written."""

from __future__ import annotations

import gzip
import importlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from utility_annotation.configuration import Dataset, Source, Split
from utility_annotation.contracts import ANSWERS, CORPUS, QRELS, QUERIES
from utility_annotation.errors import InputError
from utility_annotation.ingest import ingest_answers, ingest_corpus, ingest_qrels, ingest_queries


def source(path: Path, form: str = "msmarco") -> Source:
    return Source(format=form, path=str(path))


def dataset(path: Path, form: str = "msmarco", titles: bool = True) -> Dataset:
    return Dataset(corpus=source(path, form), titles=titles, splits={})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "collection.tsv").write_bytes(b"d1\tone\nd2\ttwo\nd3\tthree\n")
    (folder / "queries.tsv").write_bytes(b"q1\tfirst?\nq2\tsecond?\n")
    (folder / "qrels.tsv").write_bytes(b"q1\t0\td2\t1\n")
    (folder / "answers.jsonl").write_bytes(
        b'{"query_id": "q1", "answers": ["one", "1"]}\n{"query_id": "q2", "answers": []}\n'
    )
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def ingest_all(raw: Path, out: Path) -> None:
    split = Split(
        queries=source(raw / "queries.tsv"),
        qrels=source(raw / "qrels.tsv", "trec"),
        answers=source(raw / "answers.jsonl", "jsonl"),
    )
    ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet")
    ingest_queries(split, out / "queries.parquet")
    ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet")
    ingest_answers(split, out / "queries.parquet", out / "answers.parquet")


def test_ms_marco(raw: Path, out: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ingest_all(raw, out)
    assert CORPUS.read(out / "corpus.parquet").to_pydict() == {
        "docid": ["d1", "d2", "d3"],
        "title": [None, None, None],
        "text": ["one", "two", "three"],
    }
    assert QUERIES.read(out / "queries.parquet").to_pydict() == {
        "query_id": ["q1", "q2"],
        "text": ["first?", "second?"],
    }
    assert QRELS.read(out / "qrels.parquet").to_pylist() == [{"query_id": "q1", "docid": "d2", "grade": 1}]
    assert ANSWERS.read(out / "answers.parquet").to_pylist() == [{"query_id": "q1", "answers": ["one", "1"]}]
    assert "1 of 2 queries have no answer" in caplog.text


def test_judged_only(raw: Path, out: Path) -> None:
    split = Split(queries=source(raw / "queries.tsv"), qrels=source(raw / "qrels.tsv"), judged_only=True)
    assert ingest_queries(split, out / "queries.parquet") == 1
    assert QUERIES.read(out / "queries.parquet")["query_id"].to_pylist() == ["q1"]


def test_judgements_of_unknown_passages_are_dropped_on_demand(
    raw: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (raw / "qrels.tsv").write_bytes(b"q1\t0\td9\t1\nq1\t0\td2\t1\nq2\t0\td8\t1\n")
    split = Split(queries=source(raw / "queries.tsv"), qrels=source(raw / "qrels.tsv"), unknown_passages="drop")
    ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet")
    ingest_queries(split, out / "queries.parquet")
    with caplog.at_level(logging.WARNING):
        ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet")
    assert QRELS.read(out / "qrels.parquet")["docid"].to_pylist() == ["d2"]
    assert "dropped 2 judgements" in caplog.text


def test_scifact(shared_data: Path, out: Path) -> None:
    folder = shared_data / "scifact-beir"
    split = Split(queries=source(folder, "beir"), qrels=source(folder / "qrels" / "test.tsv", "beir"), judged_only=True)
    assert ingest_corpus(dataset(folder, "beir"), out / "corpus.parquet") == 5183
    assert ingest_queries(split, out / "queries.parquet") == 300
    assert ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet") == 339
    assert CORPUS.read(out / "corpus.parquet")["title"].null_count == 0


def test_ms_marco_qrels_of_a_corpus_that_lacks_them(shared_data: Path, out: Path, raw: Path) -> None:
    folder = shared_data / "msmarco-ans-small"
    split = Split(queries=source(folder / "queries.dev.small.tsv"), qrels=source(folder / "qrels.dev.small.tsv"))
    ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet")
    assert ingest_queries(split, out / "queries.parquet") == 105
    with pytest.raises(InputError, match=r"qrels\.dev\.small\.tsv, line 1: the judged passage '7072358' is not"):
        ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet")


def test_a_corpus_of_several_blocks_is_whole(raw: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("utility_annotation.ingest._BLOCK_ROWS", 7)
    (raw / "collection.tsv").write_text("".join(f"{number}\ttext {number}\n" for number in range(100)))
    assert ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet") == 100
    assert CORPUS.read(out / "corpus.parquet")["docid"].to_pylist() == [str(number) for number in range(100)]


BAD = [
    ("collection.tsv", b"d1\tone\nd2\n", 2, "1 column where 2 are due"),
    ("collection.tsv", b"d1\tone\nd2\ttwo\tmore\n", 2, "3 columns where 2 are due"),
    ("collection.tsv", b"d1\tone\nd2\t \n", 2, "`text` is empty"),
    ("collection.tsv", b"d1\tone\n\ttwo\n", 2, "`passage id` is empty"),
    ("collection.tsv", b"d1\tone\nd2\ttwo\n\nd1\tthree\n", 4, "docid 'd1' stands here and already on line 1"),
    ("collection.tsv", b"d1\tone\nd2\tt\xffwo\n", 2, "byte 0xff at position 5 .* is not UTF-8"),
    ("collection.tsv", gzip.compress(b"d1\tone\n" * 999)[:-9], None, "cut short"),
    ("collection.tsv", b"", None, "no row for the corpus"),
    ("queries.tsv", b"q1\tfirst?\nq1\tagain?\n", 2, "query_id 'q1' stands here and already on line 1"),
    ("queries.tsv", b"q1\tfirst?\nq2\t\n", 2, "`text` is empty"),
    ("queries.tsv", b"q1 first?\n", 1, "1 column where 2 are due"),
    ("qrels.tsv", b"q1\t0\td1\t1\nq1\t0\td1\t2\n", 2, "query_id 'q1', docid 'd1' stands here and already on line 1"),
    ("qrels.tsv", b"q1\t0\td9\t1\n", 1, "the judged passage 'd9' is not in the corpus"),
    ("qrels.tsv", b"q9\t0\td1\t1\n", 1, "query 'q9' is not among the split's queries"),
    ("qrels.tsv", b"q1\t0\td1\tyes\n", 1, "`grade` is str 'yes', not an integer"),
    ("qrels.tsv", b"q1\t0\td1\t99999999999\n", 1, "`grade` is .*not an integer"),
    ("qrels.tsv", b"q1\td1\t1\n", 1, "3 columns where 4 are due"),
    ("answers.jsonl", b'{"query_id": "q9", "answers": ["x"]}\n', 1, "query 'q9' is not among"),
    ("answers.jsonl", b'{"query_id": "q1", "answers": ["x"]}\n' * 2, 2, "query_id 'q1' stands .* on line 1"),
    ("answers.jsonl", b'{"query_id": "q1", "answers": ["x"]\n', 1, "this is not JSON"),
    ("answers.jsonl", b'{"query_id": "q1", "answers": ["\xff"]}\n', 1, "byte 0xff .* is not UTF-8"),
    ("answers.jsonl", b'{"query_id": "q1", "answers": []}\n', None, "no row for the answers"),
]


@pytest.mark.parametrize(("name", "content", "line", "problem"), BAD)
def test_bad_input(raw: Path, out: Path, name: str, content: bytes, line: int | None, problem: str) -> None:
    (raw / name).write_bytes(content)
    place = rf"{name}, line {line}: " if line else name
    with pytest.raises(InputError, match=rf"{place}.*{problem}.*To mend it: "):
        ingest_all(raw, out)
    order = ["collection.tsv", "queries.tsv", "qrels.tsv", "answers.jsonl"]
    written = ["corpus.parquet", "queries.parquet", "qrels.parquet"][: order.index(name)]
    assert sorted(path.name for path in out.iterdir()) == sorted(written)


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("trec", lambda s, o: ingest_corpus(Dataset(corpus=s, splits={}), o)),
        ("trec", lambda s, o: ingest_queries(Split(queries=s), o)),
    ],
)
def test_a_format_that_does_not_hold_this(raw: Path, out: Path, form: str, read) -> None:
    with pytest.raises(InputError, match=r"format 'trec' holds no (passages|queries).*msmarco, beir, jsonl"):
        read(source(raw / "qrels.tsv", form), out / "x.parquet")


def test_scripts(raw: Path, out: Path) -> None:
    split = json.dumps(
        {
            "queries": {"format": "msmarco", "path": str(raw / "queries.tsv")},
            "qrels": {"format": "trec", "path": str(raw / "qrels.tsv")},
            "answers": {"format": "jsonl", "path": str(raw / "answers.jsonl")},
        }
    )
    settings = {
        "corpus": json.dumps({"corpus": {"format": "msmarco", "path": str(raw / "collection.tsv")}, "splits": {}}),
        "queries": split,
        "qrels": split,
        "answers": split,
    }
    inputs = {"qrels": ["corpus", "queries"], "answers": ["queries"]}
    for what in settings:
        given = [text for name in inputs.get(what, []) for text in (f"--{name}", str(out / f"{name}.parquet"))]
        main = importlib.import_module(f"ingest_{what}").main
        main(["--settings", settings[what], *given, "--output", str(out / f"{what}.parquet")])
    assert sorted(path.stem for path in out.iterdir()) == sorted(settings)


def test_a_script_says_what_is_wrong_in_one_line(root: Path, raw: Path, out: Path) -> None:
    (raw / "collection.tsv").write_bytes(b"d1\tone\nd2\n")
    settings = json.dumps({"corpus": {"format": "msmarco", "path": str(raw / "collection.tsv")}, "splits": {}})
    script = root / "workflow" / "scripts" / "ingest_corpus.py"
    command = [sys.executable, script, "--settings", settings, "--output", out / "corpus.parquet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {raw / 'collection.tsv'}, line 2: 1 column where 2 are due (passage id, text). "
        "To mend it: give the line exactly these columns, separated by tabs."
    ]
    assert list(out.iterdir()) == []
