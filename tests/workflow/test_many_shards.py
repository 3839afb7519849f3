"""A pool of 1,024 shards: commands stay short, and a job reads them all."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from workflow_copy import copy_of_repository, plan, snakemake

from utility_annotation.io.schemas import LABELS

pytestmark = pytest.mark.snakemake

SHARDS = 1024


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_repository(root, tmp_path_factory.mktemp("shards"))
    path = folder / "config" / "config.yaml"
    configuration = yaml.safe_load(path.read_text())
    configuration["pools"]["demo-train"]["shards"] = SHARDS
    configuration["labels"]["relevant"] = {"pool": "demo-train", "source": "relsel", "annotator": "smollm2"}
    configuration["trainings"]["relevant"] = {"labels": "relevant"}
    path.write_text(yaml.safe_dump(configuration))
    return folder


def test_commands_do_not_grow_with_the_number_of_shards(folder: Path) -> None:
    targets = (
        "results/models/minilm/relevant",
        "results/quality/relevant.json",
        "results/exports/labels/relevant/trec",
    )
    found = plan(folder, *targets)
    assert found.rules["annotate_relsel"] == SHARDS
    assert {"build_pool_demo-train", "merge_labels", "label_quality", "train", "export_labels"} <= set(found.rules)
    found.assert_commands_can_be_pasted()


def test_labels_are_merged_from_all_of_them(root: Path, folder: Path) -> None:
    result = snakemake(folder, "--cores", "1", "results/labels/human.parquet")
    assert result.returncode == 0, result.stderr
    assert len(list((folder / "results" / "pools" / "demo-train").glob("*.parquet"))) == SHARDS
    labelled = set(LABELS.read(folder / "results" / "labels" / "human.parquet")["query_id"].to_pylist())
    rows = (root / "resources" / "demo" / "tevatron" / "train.jsonl").read_text().splitlines()
    assert len(labelled) == len(rows)
