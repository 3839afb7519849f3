"""Whole trainings of a tiny encoder through the script: result, resume, curriculum, what stops it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import train as script
from safetensors.torch import load_file, save_file
from several import kill_with_a_checkpoint, run_processes
from tiny_collection import BACKBONE, make_collection
from transformers import MPNetConfig, MPNetModel

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json
from utility_annotation.settings import Backbone, Training
from utility_annotation.training import trainer
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.plan import TrainingPlan

RUN = {
    "loss": "summarglh",
    "train_group_size": 4,
    "global_batch_size": 3,
    "epochs": 2,
    "learning_rate": 1e-2,
    "precision": "fp32",
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def train(collection, model: Path, name: str, run: dict[str, Any] | None = None, **performance: Any) -> Path:
    """Train through the script's main; returns the output folder."""
    script.main(collection.arguments(model, name, {**RUN, **(run or {})}, performance))
    return collection.folder / name / "model"


def weights(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")


def test_training_writes_a_model_and_what_was_decided(collection, tiny):
    model = train(collection, tiny, "run")
    record = read_json(model / "training.json")
    # positives a query: 0, 1, 2, 3, 0, 1, 2, 3, 0, 1; so 7 of 10 are used, 3 steps (3 + 3 + 1 queries) an epoch
    assert record["queries"] == {"labelled": 10, "used": 7, "without_positive": 3}
    assert record["average_positives"] == 2  # 13/7
    assert [row[:2] for row in record["curve"]] == [[1, 1], [2, 1], [3, 1], [4, 2], [5, 2], [6, 2]]
    assert record["training"] == Training(labels="test", **RUN).model_dump(
        mode="json", exclude={"seeds", "lora", "dev"}
    )
    assert record["effective_batch"]["last_batch_queries"] == 1
    assert Encoder.load(model, Backbone(**BACKBONE)).dimension == 16
    assert not (collection.folder / "run" / "checkpoints").exists()


@pytest.mark.parametrize("loss", ["singlelh", "first1lh", "rand1lh", "jointlh", "summarglh", "lsepair", "kl"])
def test_every_loss_falls(tmp_path, tiny_still, loss):
    collection = make_collection(tmp_path, scores=loss == "kl")
    if loss == "singlelh":
        for query_id, pool in collection.pool.items():
            collection.labels[query_id] = {candidate["docid"]: float(candidate["human"]) for candidate in pool}
        collection.write()
    run = {
        "loss": loss,
        "train_group_size": 8,
        "global_batch_size": 10,
        "epochs": 12,
        "warmup_ratio": 0,
        "learning_rate": 3e-3,
    }
    curve = read_json(train(collection, tiny_still, "run", run) / "training.json")["curve"]
    assert curve[-1][2] < 0.8 * curve[0][2]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_starts_near_fp32_and_learns(collection, tiny_still, precision):
    run = {"global_batch_size": 10, "epochs": 8, "learning_rate": 3e-3, "warmup_ratio": 0}
    exact, reduced = (
        read_json(train(collection, tiny_still, name, run | {"precision": name}) / "training.json")["curve"]
        for name in ("fp32", precision)
    )
    assert reduced[0][2] == pytest.approx(exact[0][2], rel=0.02)
    assert reduced[0][2] != exact[0][2]
    assert reduced[-1][2] < 0.8 * reduced[0][2]


def test_same_settings_give_the_same_model_and_another_seed_another(collection, tiny):
    first, again, other = (
        weights(train(collection, tiny, name, {"seed": seed})) for name, seed in zip("abc", (1, 1, 2), strict=True)
    )
    torch.testing.assert_close(again, first, rtol=0, atol=0)
    assert any(not torch.equal(other[name], first[name]) for name in first)


def assert_trained_alike(model: Path, other: Path) -> None:
    """The same losses and the same vectors, up to float error. Weights may differ where the true gradient is 0 (the
    attention's key biases), because AdamW scales float noise up."""
    curves = [[row[2] for row in read_json(folder / "training.json")["curve"]] for folder in (model, other)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)
    encoders = [Encoder.load(folder, Backbone(**BACKBONE)) for folder in (model, other)]
    ids = encoders[0].token_ids(["red stone", "blue river garden music"], "passage")
    with torch.no_grad():
        vectors = [encoder(*encoder.pad(ids)) for encoder in encoders]
    torch.testing.assert_close(*vectors, rtol=1e-3, atol=1e-3)


def test_gradient_caching_gives_the_same_model(collection, tiny_still):
    assert_trained_alike(*(train(collection, tiny_still, str(chunk), grad_cache_chunk=chunk) for chunk in (0, 2)))


@pytest.mark.process
def test_two_processes_give_the_same_model(collection, tiny_still):
    """The last batch of an epoch has one query, so that its texts do not divide evenly."""
    run_processes(2, script.main, collection.arguments(tiny_still, "together", RUN, {"grad_cache_chunk": 3}))
    together, alone = collection.folder / "together" / "model", train(collection, tiny_still, "alone")
    assert_trained_alike(together, alone)
    record, expected = (read_json(model / "training.json") for model in (together, alone))
    assert record["processes"] == 2
    assert [record["effort"][name] for name in ("texts", "tokens")] == [
        expected["effort"][name] for name in ("texts", "tokens")
    ]


@pytest.mark.process
def test_a_killed_training_goes_on_to_the_model_of_an_uninterrupted_one(collection, tiny):
    """kill -9 as soon as a checkpoint is there, with dropout on; then the same command again."""
    run = {"epochs": 20}
    whole = train(collection, tiny, "whole", run)
    arguments = collection.arguments(tiny, "killed", {**RUN, **run}, {"checkpoint_steps": 7})
    left = kill_with_a_checkpoint(collection.folder / "killed" / "checkpoints", script.main, arguments)
    model = collection.folder / "killed" / "model"
    assert not model.exists()
    done = read_json(left / "progress.json")["step"]
    assert 7 <= done < 60
    # what a kill while a checkpoint is written leaves behind
    (left.with_name(".step-00000999.1.partial")).mkdir()
    script.main(arguments)
    torch.testing.assert_close(weights(model), weights(whole), rtol=0, atol=0)
    record, expected = read_json(model / "training.json"), read_json(whole / "training.json")
    assert record["curve"] == expected["curve"]
    counted = ("texts", "tokens", "padding_share")
    assert [record["effort"][name] for name in counted] == [expected["effort"][name] for name in counted]


def stopped_training(collection, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that stops after its second step with a checkpoint."""
    arguments = collection.arguments(tiny, "run", RUN, {"checkpoint_steps": 2})
    real = trainer.checkpoint.save

    def save_and_stop(*state: Any) -> None:
        real(*state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer.checkpoint, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            script.main(arguments)


def test_a_checkpoint_of_other_settings_is_not_resumed(collection, tiny, monkeypatch):
    stopped_training(collection, tiny, monkeypatch)
    other = {"learning_rate": 1e-3}
    resumed = weights(train(collection, tiny, "run", other))
    torch.testing.assert_close(resumed, weights(train(collection, tiny, "fresh", other)), rtol=0, atol=0)


def test_a_checkpoint_of_other_labels_is_not_resumed(collection, tiny, monkeypatch):
    stopped_training(collection, tiny, monkeypatch)
    collection.labels["q0"][next(iter(collection.labels["q0"]))] = 1.0
    collection.write()
    assert read_json(train(collection, tiny, "run") / "training.json")["queries"]["used"] == 8


def test_checkpoints_are_safetensors_and_json(collection, tiny, monkeypatch):
    stopped_training(collection, tiny, monkeypatch)
    (folder,) = (collection.folder / "run" / "checkpoints").glob("*/step-*")
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "optimizer.safetensors", "progress.json"}


def test_a_second_stage_starts_from_the_first_stages_model(collection, tiny):
    """With a learning rate near nothing the second stage ends where the first did, not at the backbone."""
    first = train(collection, tiny, "first")
    for query_id, pool in collection.pool.items():
        collection.labels[query_id] = {candidate["docid"]: float(candidate["human"]) for candidate in pool}
    collection.write()
    second = train(collection, first, "second", {"loss": "singlelh", "epochs": 1, "learning_rate": 1e-12})
    torch.testing.assert_close(weights(second), weights(first), rtol=0, atol=1e-9)
    assert (
        weights(first)["encoder.layer.0.output.dense.weight"] - weights(tiny)["encoder.layer.0.output.dense.weight"]
    ).abs().max() > 1e-3
    curve = read_json(second / "training.json")["curve"]
    assert [row[0] for row in curve] == [1, 2, 3, 4]


def test_a_loss_that_is_not_a_number_stops_with_its_step(collection, tiny):
    run = {"temperature": 1e-30, "learning_rate": 1e-3}
    with pytest.raises(InputError, match=r"the (loss|gradient norm) is (nan|inf) at step \d of 6 .*temperature 1e-30"):
        train(collection, tiny, "run", run)
    assert not (collection.folder / "run" / "model").exists()


def test_weights_that_are_not_numbers_stop_the_first_step(collection, tiny, tmp_path):
    broken = Path(shutil.copytree(tiny, tmp_path / "broken"))
    tensors = weights(broken)
    tensors["embeddings.LayerNorm.bias"][0] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="the loss is nan at step 1 of 6"):
        train(collection, broken, "run")


def test_a_model_without_gradient_checkpointing_is_refused(collection, tiny, tmp_path):
    """transformers has none for MPNet."""
    folder = Path(shutil.copytree(tiny, tmp_path / "mpnet"))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    MPNetModel(MPNetConfig(vocab_size=128, **sizes)).save_pretrained(folder)
    with pytest.raises(InputError, match=r"\(mpnet\) has no gradient checkpointing\. Fix: .*train\.grad_cache_chunk`"):
        train(collection, folder, "run", gradient_checkpointing=True)


@pytest.mark.parametrize(
    ("run", "performance", "ways"),
    [
        (
            {},
            {},
            r"set `performance\.train\.grad_cache_chunk` to .*gradient_checkpointing` to true.*`trainings\.\*\.lora`",
        ),
        (
            {"lora": {}},
            {"grad_cache_chunk": 9, "gradient_checkpointing": True},
            r"lower .* \(now 9\), or take a machine",
        ),
        ({"lora": {}}, {"grad_cache_chunk": 1}, r"set `performance\.train\.gradient_checkpointing` to true, or take a"),
    ],
    ids=["nothing set", "all set", "one text at a time"],
)
def test_too_little_memory_is_told_with_what_is_left_to_try(collection, tiny, monkeypatch, run, performance, ways):
    def needs_a_petabyte(scores: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return torch.empty(1 << 48).sum() * scores.sum()

    greedy = dataclasses.replace(trainer.LOSSES["summarglh"], function=needs_a_petabyte)
    monkeypatch.setitem(trainer.LOSSES, "summarglh", greedy)
    with pytest.raises(InputError, match=rf"does not fit into the memory of cpu \(.*allocate memory.*Fix: {ways}"):
        train(collection, tiny, "run", run, **performance)


def test_another_error_of_torch_stays_what_it_is(collection, tiny, monkeypatch):
    def mistaken(scores: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return scores @ torch.ones(1)

    wrong = dataclasses.replace(trainer.LOSSES["summarglh"], function=mistaken)
    monkeypatch.setitem(trainer.LOSSES, "summarglh", wrong)
    with pytest.raises(RuntimeError, match="size mismatch"):
        train(collection, tiny, "run")


def test_no_query_with_a_positive(collection, tiny):
    for labels in collection.labels.values():
        labels.update(dict.fromkeys(labels, 0.0))
    collection.write()
    with pytest.raises(InputError, match="no query has a positive"):
        train(collection, tiny, "run")


def test_labels_that_do_not_fit_the_loss(tmp_path, tiny):
    collection = make_collection(tmp_path, scores=True)
    with pytest.raises(InputError, match="needs labels that say positive or negative"):
        train(collection, tiny, "run")
    collection.labels["q0"][next(iter(collection.labels["q0"]))] = float("-inf")
    collection.write()
    with pytest.raises(InputError, match="not a finite number"):
        train(collection, tiny, "run", {"loss": "kl"})


def test_queries_without_positive_after_exclusion_are_skipped_and_counted(collection, tiny):
    """Under exclusion the only positive of q1 is taken from it by making it the human one."""
    (positive,) = (docid for docid, label in collection.labels["q1"].items() if label)
    for candidate in collection.pool["q1"]:
        candidate["human"] = candidate["docid"] == positive
    collection.write()
    skipped = {
        policy: read_json(train(collection, tiny, policy, {"human_positive": policy, "epochs": 1}) / "training.json")[
            "queries"
        ]["without_positive"]
        for policy in ("random", "exclusion", "inclusion")
    }
    assert skipped["random"] == 3
    assert skipped["exclusion"] >= 4
    assert skipped["inclusion"] == 0


def test_learning_rate_rises_and_falls():
    plan = TrainingPlan(
        Training(labels="test", global_batch_size=1, epochs=1, warmup_ratio=0.2, learning_rate=1.0),
        list(range(10)),
        0,
        1,
    )
    rates = [plan.learning_rate(step) for step in range(10)]
    assert rates == pytest.approx([1 / 2, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_every_query_comes_once_an_epoch_and_a_resume_continues_the_sequence():
    plan = TrainingPlan(Training(labels="test", global_batch_size=4, epochs=3), list(range(10)), 0, 1)
    batches = list(plan.batches(0))
    assert [len(queries) for _, queries in batches] == [4, 4, 2] * 3
    for epoch in range(3):
        assert sorted(query for number, queries in batches if number == epoch for query in queries) == list(range(10))
    for start in range(10):
        assert list(plan.batches(start)) == batches[start:]


def test_settings_reach_the_record_as_json(collection, tiny):
    record = json.loads((train(collection, tiny, "run") / "training.json").read_text())
    assert record["backbone"] == Backbone(**BACKBONE).model_dump(mode="json")
