"""Runs of others: ranked as trec_eval ranks them, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.io.schemas import QRELS, QUERIES
from utility_annotation.retrieval.external import external_run


def queries(folder: Path, *query_ids: str) -> Path:
    path = folder / "queries.parquet"
    QUERIES.write(path, QUERIES.rows([{"query_id": query_id, "text": "?"} for query_id in query_ids]))
    return path


def read(folder: Path, text: str, *query_ids: str, depth: int = 1000, drop: bool = False) -> list[tuple[str, str, int]]:
    (folder / "run.trec").write_text(text)
    run = external_run(folder / "run.trec", queries(folder, *query_ids), depth=depth, drop_query_document=drop)
    return [(row["query_id"], row["docid"], row["rank"]) for row in run.to_pylist()]


RUN = "q1 Q0 a 1 0.5 x\nq1\tQ0\tb\t2\t1.5e0\tx\nq2 Q0 c 1 -3 x\nq1 Q0 c 3 0.5 x\n"


def test_scores_decide_and_not_the_ranks_of_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, RUN, "q2", "q1") == [("q2", "c", 1), ("q1", "b", 1), ("q1", "c", 2), ("q1", "a", 3)]


def test_a_run_ends_at_the_depth_and_leaves_out_a_query_s_own_document(tmp_path: Path) -> None:
    assert read(tmp_path, RUN, "q1", depth=2) == [("q1", "b", 1), ("q1", "c", 2)]
    assert read(tmp_path, "q1 Q0 q1 1 9 x\nq1 Q0 a 2 1 x\n", "q1", drop=True) == [("q1", "a", 1)]


def test_queries_of_other_test_sets_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, RUN, "q2") == [("q2", "c", 1)]
    assert "1 queries of the run" in caplog.text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("q1 Q0 a 1 0.5 x\nq1 Q0 b 2 high x\n", r"run\.trec, line 2: the score 'high' is no number"),
        ("q1 Q0 a 1 nan x\n", "line 1: the score 'nan' is no number"),
        ("q1 Q0 a 1 0.5\n", "line 1: .*5 columns"),
        ("q1 Q0 a 1 0.5 x\nq2 Q0 b 1 1 x\nq1 Q0 a 2 0.4 x\n", "line 3: passage 'a' stands here and already on line 1"),
        ("other Q0 a 1 0.5 x\n", "none of its 1 queries is one of the test set's 1"),
        ("", "none of its 0 queries"),
    ],
)
def test_what_is_no_run_of_the_test_set_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read(tmp_path, text, "q1")


HITS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([-1.0, 0.0, 0.5, 0.5000001, 2.0]), min_size=1)


@settings(max_examples=50)
@given(runs=st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), HITS, min_size=1))
def test_figures_equal_pytrec_evals(
    runs: dict[str, dict[str, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("run")
    judged = {query: {"a": 2, "c": 1, "h": 0} for query in ("q1", "q2", "q3")}
    lines = [f"{query} Q0 {docid} 1 {score!r} t\n" for query, hits in runs.items() for docid, score in hits.items()]
    (folder / "run.trec").write_text("".join(lines))
    run = external_run(folder / "run.trec", queries(folder, *judged), depth=1000, drop_query_document=False)
    rows = [{"query_id": q, "docid": d, "grade": g} for q, grades in judged.items() for d, g in grades.items()]
    found = evaluate(QRELS.rows(rows), run, ("ndcg@10", "map"), relevance_level=1).means()
    theirs = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10", "map"}).evaluate(runs)
    for ours, name in (("ndcg@10", "ndcg_cut_10"), ("map", "map")):
        assert found[ours] == pytest.approx(sum(each[name] for each in theirs.values()) / len(judged), abs=1e-9)
