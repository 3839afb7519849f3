"""The ranking of runs, against trec_eval's C code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.io.schemas import RUN
from utility_annotation.retrieval.runs import rank, read_rankings, search_again

near_ties = st.sampled_from([20.0, 20.0 + 1e-8, 20.000001, 19.999999, 0.0, -0.0, -1.0])
docids = st.text("ab10Zé", min_size=1, max_size=3)


def ranked(scores: dict[str, float], **options: object) -> list[str]:
    table = rank(
        ["q"],
        np.zeros(len(scores), dtype=int),
        pa.array(list(scores), pa.string()),
        np.array(list(scores.values()), dtype=float),
        **{"depth": 100, **options},
    )
    assert table["rank"].to_pylist() == list(range(1, table.num_rows + 1))
    return table["docid"].to_pylist()


@given(st.dictionaries(docids, near_ties, min_size=1))
def test_every_passage_has_trec_evals_rank(scores):
    found = ranked(scores)
    for docid in scores:
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {docid: 1}}, {"recip_rank"})
        assert evaluator.evaluate({"q": scores})["q"]["recip_rank"] == 1 / (found.index(docid) + 1)


def test_depth_is_a_querys_own():
    table = rank(["q1", "q2"], np.array([1, 0, 1, 0, 1]), pa.array(["a", "b", "c", "d", "e"]), np.arange(5.0), depth=2)
    assert table.select(["query_id", "docid", "rank"]).to_pydict() == {
        "query_id": ["q1", "q1", "q2", "q2"],
        "docid": ["d", "b", "e", "c"],
        "rank": [1, 2, 1, 2],
    }


def test_the_querys_own_document_is_dropped_before_the_cut():
    scores = {"a": 3.0, "q": 2.0, "b": 1.0, "c": 0.0}
    assert ranked(scores, depth=2, drop_query_document=True) == ["a", "b"]
    assert ranked(scores, depth=2) == ["a", "q"]


def test_no_hits_make_an_empty_run():
    assert ranked({}) == []


def test_rankings_are_read_best_first_however_the_rows_lie(tmp_path):
    rows = [("q2", "c", 2), ("q1", "b", 1), ("q2", "a", 1), ("q2", "b", 3), ("q1", "d", 2)]
    columns = dict(zip(("query_id", "docid", "rank"), zip(*rows, strict=True), strict=True))
    RUN.write(tmp_path / "run.parquet", RUN.table(columns | {"score": [0.0] * len(rows)}))
    assert dict(read_rankings(tmp_path / "run.parquet")) == {"q1": ["b", "d"], "q2": ["a", "c", "b"]}
    cut = read_rankings(tmp_path / "run.parquet", 2)
    assert cut["q2"] == ["a", "c"]
    assert cut.get("q3", []) == []
    assert "q3" not in cut


def test_a_run_without_a_row_has_no_rankings(tmp_path):
    RUN.write(tmp_path / "run.parquet", RUN.rows([]))
    assert dict(read_rankings(tmp_path / "run.parquet")) == {}


def test_a_run_that_others_made_is_to_be_corrected_and_not_deleted() -> None:
    assert "delete this run" in search_again(Path("results/runs/bert/human/dev.parquet"))
    own = search_again(Path("results/runs/external/colbert/dev.parquet"))
    assert own.startswith("correct the file of `external_runs.colbert`")
    assert "delete" not in own


def test_a_reranked_run_is_made_again_with_the_one_that_it_orders() -> None:
    hint = search_again(Path("results/runs/reranked/again/dev.parquet"))
    assert hint.startswith("delete this run and that of `reranked.again.retriever`")
