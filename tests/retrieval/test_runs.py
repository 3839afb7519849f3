"""The ranking of runs, against trec_eval's C code."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.retrieval.runs import rank

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
