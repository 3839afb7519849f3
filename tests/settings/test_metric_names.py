"""The spellings of metrics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation import settings
from utility_annotation.evaluation.answer_metrics import ANSWER_METRICS
from utility_annotation.evaluation.metric_names import METRICS, parse
from utility_annotation.settings.metrics import metric_name


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("ndcg_cut_10", "ndcg@10"),
        ("ndcg_cut.10", "ndcg@10"),
        ("nDCG@10", "ndcg@10"),
        ("map_cut_100", "map@100"),
        ("P_10", "precision@10"),
        ("P.5", "precision@5"),
        ("P@5", "precision@5"),
        ("recall_1000", "recall@1000"),
        ("R@1000", "recall@1000"),
        ("MRR@10", "mrr@10"),
        ("RR@10", "mrr@10"),
        ("recip_rank", "mrr"),
        ("success_1", "success@1"),
        ("hit_rate@5", "success@5"),
        ("Rprec", "rprec"),
        ("r-precision", "rprec"),
        ("infAP", "infap"),
        ("rbp.95", "rbp-95"),
        ("Judged@10", "judged@10"),
    ],
)
def test_spellings_of_trec_eval_ranx_and_ir_measures(spelling: str, name: str) -> None:
    assert metric_name(spelling) == name
    parse(name)


def test_the_default_metrics_end_at_the_depth() -> None:
    assert settings.Testset(dataset="d", split="dev").metrics == ("mrr@10", "recall@1000", "ndcg@10")
    assert settings.Testset(dataset="d", split="dev", depth=50).metrics == ("mrr@10", "recall@50", "ndcg@10")


@given(st.sampled_from([*METRICS, *ANSWER_METRICS]), st.integers(1, 1000) | st.none())
def test_a_name_of_ours_stays(name: str, cutoff: int | None) -> None:
    own = name if cutoff is None else f"{name}@{cutoff}"
    assert metric_name(own) == own
