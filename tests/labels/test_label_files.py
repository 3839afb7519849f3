"""Labels read from a file of the outside world."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import label as script
import pytest
from command_line import arguments, write_configuration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judged_pools import Pool, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import LABELS
from utility_annotation.labels.files import label_from_file
from utility_annotation.labels.shards import Merged
from utility_annotation.settings import Labels

POOL: Pool = {
    "q2": [("b", True), ("a", False), ("c", False)],
    "q1": [("c", False), ("d", True)],
    "q3": [("a", False), ("e", True)],
}
Judged = list[tuple[str, str, int]]


def trec(path: Path, judged: Judged) -> Path:
    path.write_text("".join(f"{query_id} 0 {docid} {grade}\n" for query_id, docid, grade in judged))
    return path


def label(
    folder: Path, file: Path, kind: str = "trec", pool: Pool = POOL, shards: int = 1, **keys: Any
) -> tuple[dict[tuple[str, str], float], Merged]:
    merged = label_from_file(
        Labels(pool="p", source="file", file={"format": kind, "path": str(file)}, **keys),
        write_pool(folder / "pool", pool, shards),
        folder / "labels.parquet",
    )
    rows = LABELS.read(folder / "labels.parquet").to_pylist()
    return {(row["query_id"], row["docid"]): row["label"] for row in rows}, merged


EXPECTED = {("q1", "c"): 1, ("q1", "d"): 0, ("q2", "b"): 0, ("q2", "a"): 1, ("q2", "c"): 1}


def test_grades_below_the_relevance_level_are_negative(tmp_path: Path) -> None:
    judged = [("q2", "c", 3), ("q1", "c", 1), ("q2", "b", 0), ("q2", "a", 2)]
    rows, _ = label(tmp_path, trec(tmp_path / "qrels", judged), relevance_level=2)
    assert {pair for pair, value in rows.items() if value} == {("q2", "a"), ("q2", "c")}


def test_a_relevance_level_that_no_grade_reaches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no passage has a grade of 3 or more.*`relevance_level`"):
        label(tmp_path, trec(tmp_path / "qrels", [("q1", "c", 1), ("q2", "b", 2)]), relevance_level=3)
    assert not (tmp_path / "labels.parquet").exists()


def test_grades_of_one_or_more_are_positive_and_queries_that_are_not_named_are_left_out(tmp_path: Path) -> None:
    judged = [("q2", "c", 3), ("q1", "c", 1), ("q2", "b", 0), ("q2", "a", 2)]
    rows, merged = label(tmp_path, trec(tmp_path / "qrels", judged))
    assert list(rows.items()) == list(EXPECTED.items())
    assert merged == Merged(2, {"not in the file": 1})
    assert set(LABELS.read(tmp_path / "labels.parquet")["source"].to_pylist()) == {"file"}


def test_a_query_that_is_named_with_negatives_alone_is_labelled(tmp_path: Path) -> None:
    rows, merged = label(tmp_path, trec(tmp_path / "qrels", [("q1", "d", 0)]))
    assert rows == {("q1", "c"): 0, ("q1", "d"): 0}
    assert merged.labelled == 1


PAIRS = [("q2", "c"), ("q1", "c"), ("q2", "a")]
FILES = {
    "trec": "".join(f"{query_id}\t0\t{docid}\t1\n" for query_id, docid in PAIRS),
    "msmarco": "".join(f"{query_id}\t0\t{docid}\t1\n" for query_id, docid in PAIRS),
    "beir": "query-id\tcorpus-id\tscore\n" + "".join(f"{query_id}\t{docid}\t1\n" for query_id, docid in PAIRS),
    "jsonl": "".join(json.dumps({"query_id": q, "docid": d, "grade": 1}) + "\n" for q, d in PAIRS),
    "tevatron": "".join(
        json.dumps(
            {
                "query_id": query_id,
                "query": "?",
                "positive_passages": [{"docid": d, "title": "", "text": d} for d in docids],
                "negative_passages": [{"docid": "elsewhere", "title": "", "text": "x"}],
            }
        )
        + "\n"
        for query_id, docids in (("q2", ["c", "a"]), ("q1", ["c"]))
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_format_of_judgements_says_the_same(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file.tsv").write_text(FILES[kind])
    rows, _ = label(tmp_path, tmp_path / "file.tsv", kind)
    assert rows == EXPECTED


STRANGE = [("q1", "c", 1), ("q9", "c", 1), ("q2", "x", 1), ("q2", "d", 1)]


@pytest.mark.parametrize(
    ("judged", "message"),
    [
        (STRANGE[:2], r"qrels, line 2: query 'q9' is not in the pool"),
        ([STRANGE[0], STRANGE[2]], r"qrels, line 2: passage 'x' for query 'q2' is not in the pool"),
        ([STRANGE[0], STRANGE[3]], r"qrels, line 2: passage 'd' for query 'q2' is not in the pool"),
    ],
    ids=["query", "passage", "passage of another query"],
)
def test_what_the_pool_lacks_is_an_error_with_its_line(tmp_path: Path, judged: Judged, message: str) -> None:
    with pytest.raises(InputError, match=message):
        label(tmp_path, trec(tmp_path / "qrels", judged))
    assert not (tmp_path / "labels.parquet").exists()


def test_what_the_pool_lacks_is_dropped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        rows, _ = label(tmp_path, trec(tmp_path / "qrels", STRANGE), shards=2, unknown_passages="drop")
    assert {place for place, grade in rows.items() if grade} == {("q1", "c")}
    assert "dropped 3 judgements" in caplog.text


def test_a_judgement_that_stands_twice_counts_once(tmp_path: Path) -> None:
    rows, _ = label(tmp_path, trec(tmp_path / "qrels", [("q1", "c", 1), ("q1", "c", 2)]))
    assert rows == {("q1", "c"): 1, ("q1", "d"): 0}


@pytest.mark.parametrize("shards", [1, 3])
def test_candidates_keep_the_order_of_the_files_lines(tmp_path: Path, shards: int) -> None:
    judged = [("q2", "c", 1), ("q1", "d", 1), ("q2", "a", 1), ("q1", "c", 1), ("q2", "c", 1)]
    label(tmp_path, trec(tmp_path / "qrels", judged), shards=shards)
    rows = [row for row in LABELS.read(tmp_path / "labels.parquet").to_pylist() if row["rank"] is not None]
    order = [(row["query_id"], row["docid"]) for row in sorted(rows, key=lambda row: (row["query_id"], row["rank"]))]
    assert order == [("q1", "d"), ("q1", "c"), ("q2", "c"), ("q2", "a")]


def test_judgements_that_disagree_are_refused_with_both_lines(tmp_path: Path) -> None:
    judged = [("q1", "d", 1), ("q1", "c", 1), ("q1", "c", 2), ("q1", "c", 0)]
    with pytest.raises(InputError, match=r"line 4: passage 'c' is negative for query 'q1' here, but not on line 2"):
        label(tmp_path, trec(tmp_path / "qrels", judged))


def test_a_file_of_another_pool_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no query is left to label: \{'not in the file': 3\}"):
        label(tmp_path, trec(tmp_path / "qrels", [("q9", "c", 1)]), unknown_passages="drop")


@st.composite
def judged_pools(draw: st.DrawFn) -> tuple[Pool, dict[tuple[str, str], int]]:
    ids = draw(st.lists(st.text("qé19", min_size=1, max_size=3), min_size=1, max_size=8, unique=True))
    docids = st.lists(st.text("abcé", min_size=1, max_size=2), min_size=1, max_size=5, unique=True)
    pool: Pool = {query_id: [(docid, False) for docid in draw(docids)] for query_id in ids}
    pairs = [(query_id, docid) for query_id, candidates in pool.items() for docid, _ in candidates]
    grades = draw(st.dictionaries(st.sampled_from(pairs), st.integers(-1, 2), min_size=1))
    return pool, grades


@given(data=judged_pools(), shards=st.integers(1, 3))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_labels_equal_a_plain_loop_for_any_number_of_shards(
    tmp_path_factory: pytest.TempPathFactory, data: tuple[Pool, dict[tuple[str, str], int]], shards: int
) -> None:
    pool, grades = data
    named = {query_id for query_id, _ in grades}
    expected = {
        (query_id, docid): float(grades.get((query_id, docid), 0) >= 1)
        for query_id in sorted(named, key=str.encode)
        for docid, _ in pool[query_id]
    }
    folder = tmp_path_factory.mktemp("file")
    file = trec(folder / "qrels", [(*pair, grade) for pair, grade in grades.items()])
    rows, merged = label(folder, file, "trec", pool, shards)
    assert list(rows.items()) == list(expected.items())
    assert sum(merged.left_out.values()) == len(pool) - len(named)


def test_real_judgements_of_graded_qrels(shared_data: Path, tmp_path: Path) -> None:
    """TREC DL 2020: the pool is what two retrievers found; judgements of other passages are dropped."""
    folder = shared_data / "runs-dl20"
    qrels = folder / "qrels.dl20-passage.txt"
    pool: Pool = {}
    for line in (folder / "bm25.trec").read_text().splitlines():
        query_id, _, docid, *_ = line.split()
        pool.setdefault(query_id, []).append((docid, False))
    rows, _ = label(tmp_path, qrels, "trec", pool, 3, unknown_passages="drop")
    positive = {line.split()[0] + " " + line.split()[2] for line in qrels.open() if int(line.split()[3]) >= 1}
    retrieved = {f"{query_id} {docid}" for query_id, candidates in pool.items() for docid, _ in candidates}
    assert {" ".join(place) for place, grade in rows.items() if grade} == positive & retrieved


def test_the_script_reads_the_file_of_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    qrels = trec(Path("qrels"), [("q1", "c", 1), ("q2", "a", 1), ("q2", "c", 1)])
    write_pool(Path("results/pools/pool"), POOL)
    own = {"pool": "pool", "source": "file", "file": {"format": "trec", "path": str(qrels)}}
    config = write_configuration(Path("config.yaml"), labels={"own": own})
    script.main(arguments("merge", config=config, labels="own", output="labels.parquet"))
    rows = LABELS.read("labels.parquet").to_pylist()
    assert {(row["query_id"], row["docid"]): row["label"] for row in rows} == EXPECTED
