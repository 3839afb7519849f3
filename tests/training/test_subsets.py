"""Trainings on the labels of a share of the queries: a curriculum's second stage, and REPLUG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import train as script
from safetensors.torch import load_file
from tiny_collection import Collection

from utility_annotation.common.files import read_json
from utility_annotation.io.schemas import ANNOTATION, POOL
from utility_annotation.labels.shards import query_subset
from utility_annotation.labels.sources import Parts, make_labels
from utility_annotation.settings import Labels, QuerySubset

RUN = {"train_group_size": 4, "global_batch_size": 2, "epochs": 1, "learning_rate": 1e-2, "precision": "fp32"}
THIRD = QuerySubset(percent=30, seed=1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def trained(collection: Collection, start: Path, name: str, run: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """What the training recorded, and its weights."""
    script.main(collection.arguments(start, name, RUN | run, {}))
    model = collection.folder / name / "model"
    return read_json(model / "training.json"), load_file(model / "model.safetensors")


def scores_of(collection: Collection) -> list[Path]:
    """An annotation shard of replug a pool shard: candidate i of a query scores -i."""
    paths = []
    for shard in collection.shards:
        rows = []
        for query in POOL.read(shard).to_pylist():
            scores = [{"docid": c["docid"], "score": -float(place)} for place, c in enumerate(query["candidates"])]
            row = {"query_id": query["query_id"], "whole_pool": False, "replies": [], "attempts": 1}
            row |= {"prompt_tokens": 1, "completion_tokens": 0, "outcome": "ok", "scores": scores}
            rows.append(row)
        paths.append(collection.folder / "replug" / shard.name)
        ANNOTATION.write(paths[-1], ANNOTATION.rows(rows))
    return paths


@pytest.mark.parametrize("source", ["human", "replug"])
def test_only_the_chosen_queries_are_trained_on(collection: Collection, tiny_still: Path, source: str) -> None:
    """With human labels: a second stage. The texts of all other queries change, and the model does not."""
    run = {"loss": {"human": "singlelh", "replug": "kl"}[source]}
    _, before = trained(collection, tiny_still, "first", {"loss": "summarglh"})
    first = collection.folder / "first" / "model"
    annotations = scores_of(collection) if source == "replug" else []
    labels = Labels(pool="p", source=source, annotator="llm" if annotations else None, queries=THIRD)
    make_labels(labels, Parts(collection.shards, annotations), collection.labels_path)
    record, weights = trained(collection, first, "second", run)
    assert record["queries"] == {"labelled": 3, "used": 3, "without_positive": 0}

    chosen = set(query_subset(collection.pool, THIRD).to_pylist())
    for query_id in collection.pool.keys() - chosen:
        for candidate in collection.pool[query_id]:
            candidate["text"] = "ship"
    labelled = collection.labels_path.read_bytes()
    collection.write()
    collection.labels_path.write_bytes(labelled)
    _, again = trained(collection, first, "again", run)
    torch.testing.assert_close(again, weights, rtol=0, atol=0)
    assert any(not torch.equal(weights[name], before[name]) for name in before)
