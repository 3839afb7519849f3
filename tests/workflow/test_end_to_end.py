"""The whole chain on a part of the demo, with its real models; then what is stale after which change."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from workflow_copy import QUESTIONS, copy_of_repository, planned, shrink_demo, snakemake


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small version of the demo has been run from raw files to the report."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("chain"))
    _shrink(folder)
    result = snakemake(folder, "--cores", "2")
    assert result.returncode == 0, result.stderr[-6000:] + result.stdout[-2000:]
    return folder


def _shrink(folder: Path) -> None:
    """Cut the demo and train for a single epoch."""
    shrink_demo(folder)
    path = folder / "config" / "config.yaml"
    configuration = yaml.safe_load(path.read_text())
    configuration["datasets"]["demo"]["shards"] = 2
    configuration["trainings"] = {name: run | {"epochs": 1} for name, run in configuration["trainings"].items()}
    path.write_text(yaml.safe_dump(configuration))


def test_the_table_has_every_row_and_no_empty_cell(finished: Path) -> None:
    rows = (finished / "results" / "tables" / "retrieval.csv").read_text().splitlines()
    assert len(rows) > 1
    text = (finished / "results" / "tables" / "retrieval.md").read_text().lower()
    for name in ("bm25", "untrained", "human", "replug", "utilsel", "utilrank", "utilsel-cl20"):
        assert name in text
    for path in sorted((finished / "results" / "metrics").rglob("*.json")):
        metrics = json.loads(path.read_text())["metrics"]
        assert set(metrics) == {"mrr@10", "ndcg@10", "recall@100"}
        assert all(0 <= value <= 1 for value in metrics.values())


def test_the_report_is_one_page_with_the_table_and_the_figures_in_it(finished: Path) -> None:
    page = (finished / "results" / "report.html").read_text()
    assert "utilsel-cl20" in page
    assert page.count("data:image/svg+xml") == len(list((finished / "results" / "figures").glob("*.svg"))) == 4
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page), "the page must not depend on another file"
    for png in (finished / "results" / "figures").glob("*.png"):
        assert png.read_bytes().startswith(b"\x89PNG")


def test_every_query_has_an_outcome_at_every_stage(finished: Path) -> None:
    import pyarrow.parquet as pq

    for stage in ("relsel", "answer", "utilsel", "utilrank", "replug"):
        shards = sorted((finished / "results" / "annotation" / "demo-train" / "smollm2" / stage).glob("*.parquet"))
        assert [shard.name for shard in shards] == ["0000-of-0002.parquet", "0001-of-0002.parquet"]
        assert sum(pq.read_metadata(shard).num_rows for shard in shards) == QUESTIONS


def test_training_changed_the_model(finished: Path) -> None:
    from safetensors.numpy import load_file

    before = load_file(finished / "data" / "models" / "all-minilm-l6-v2" / "model.safetensors")
    after = load_file(finished / "results" / "models" / "minilm" / "utilsel" / "model.safetensors")
    shared = sorted(set(before) & set(after))
    assert shared
    assert any((before[name] != after[name]).any() for name in shared if before[name].dtype.kind == "f")


def test_the_embeddings_are_gone_once_searched(finished: Path) -> None:
    assert not list((finished / "results" / "embeddings").rglob("*.npy"))


def test_a_second_run_has_nothing_to_do(finished: Path) -> None:
    assert planned(finished) == {}


def test_labels_and_models_are_handed_over(finished: Path) -> None:
    labels, model = "results/exports/labels/utilsel/tevatron", "results/exports/models/minilm/utilsel"
    result = snakemake(finished, "--cores", "1", labels, model)
    assert result.returncode == 0, result.stderr
    assert "smollm2" in (finished / labels / "README.md").read_text()
    assert len((finished / labels / "train.jsonl").read_text().splitlines()) <= QUESTIONS
    figures = json.loads((finished / "results" / "metrics" / "minilm" / "utilsel" / "demo-dev.json").read_text())
    shown = f"| demo-dev | mrr@10 | {100 * figures['metrics']['mrr@10']:.1f} |"
    assert shown in (finished / model / "README.md").read_text()


TRAINED_ON_UTILSEL = Counter(train=2, encode=4, search=2, evaluate=2)
SHOWN = Counter(results_table=1, plot_results=1, plot_training=1, write_report=1)


def _edit(path: Path, before: str, after: str) -> tuple[Path, str]:
    text = path.read_text()
    assert before in text, f"{before!r} is not in {path}"
    path.write_text(text.replace(before, after, 1))
    return path, text


def _plan_after(finished: Path, file: str, before: str, after: str) -> Counter[str]:
    path, text = _edit(finished / file, before, after)
    try:
        return planned(finished)
    finally:
        path.write_text(text)


def test_a_touched_raw_file_makes_nothing_stale(finished: Path) -> None:
    for file in ("resources/demo/tevatron/train.jsonl", "resources/demo/beir/corpus.jsonl"):
        (finished / file).touch()
    assert planned(finished) == {}


def test_a_comment_makes_nothing_stale(finished: Path) -> None:
    library = "workflow/scripts/utility_annotation"
    assert _plan_after(finished, f"{library}/schemas.py", "RUN = Schema(", "# A comment.\nRUN = Schema(") == {}


def test_how_fast_a_job_runs_makes_nothing_stale(finished: Path) -> None:
    assert planned(finished, "--config", "performance={threads: 2, annotate: {batch_tokens: 512}}") == {}


def test_a_training_key_makes_that_run_and_its_second_stage_stale(finished: Path) -> None:
    path = finished / "config" / "config.yaml"
    original = path.read_text()
    configuration = yaml.safe_load(original)
    configuration["trainings"]["utilsel"]["temperature"] = 0.04
    path.write_text(yaml.safe_dump(configuration))
    try:
        plan = planned(finished)
    finally:
        path.write_text(original)
    assert plan == TRAINED_ON_UTILSEL + SHOWN


def test_a_reordered_configuration_makes_nothing_stale(finished: Path) -> None:
    path = finished / "config" / "config.yaml"
    original = path.read_text()
    configuration = yaml.safe_load(original)
    reordered = {key: configuration[key] for key in reversed(list(configuration))}
    path.write_text(yaml.safe_dump(reordered, sort_keys=False))
    try:
        assert planned(finished) == {}
    finally:
        path.write_text(original)


def test_a_line_of_logic_in_a_loss_makes_the_trainings_stale_and_no_annotation(finished: Path) -> None:
    losses = "workflow/scripts/utility_annotation/training/losses.py"
    plan = _plan_after(finished, losses, "torch.nn.functional.softplus(margin)", "torch.relu(margin)")
    assert plan["train"] == 5
    assert not any(rule.startswith(("annotate", "merge", "build", "ingest", "prepare")) for rule in plan)
