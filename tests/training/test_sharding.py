"""Trainings in parts (FSDP2): two processes, each with its part of the weights, make the model that one makes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
import train as script
from several import run_processes
from test_dev import CHOSEN
from test_lora import ADAPTED, adapter
from test_trainer import RUN, train, weights
from tiny_collection import make_collection

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json
from utility_annotation.settings import Backbone
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.processes import processes
from utility_annotation.training.sharding import mesh_of, shard

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def assert_same_model(model: Path, other: Path) -> None:
    """The same losses and weights, up to float error.

    A key's bias changes no attention, so its gradient is float error alone, which AdamW makes as large as others.
    """
    curves = [[row[2] for row in read_json(folder / "training.json")["curve"]] for folder in (model, other)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    found, expected = (
        {name: weight for name, weight in weights(folder).items() if not name.endswith("key.bias")}
        for folder in (model, other)
    )
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def trained_in_parts(collection, model: Path, run: dict, **performance) -> Path:
    arguments = collection.arguments(model, "parts", RUN | run, {"fsdp": True, "gpus": 2, **performance})
    run_processes(2, script.main, arguments)
    return collection.folder / "parts" / "model"


@pytest.mark.parametrize(
    ("run", "performance"),
    [
        ({"max_grad_norm": 0.1}, {}),
        (CHOSEN, {"grad_cache_chunk": 1, "gradient_checkpointing": True, "checkpoint_steps": 2}),
    ],
    ids=["clipped", "cached, recomputed, dev"],
)
def test_the_model_and_the_course_are_those_of_one_process(collection, tiny, tmp_path, run, performance):
    if "dev" in run:
        collection.dev = make_collection(tmp_path / "dev", queries=13, prefix="dev", seed=3)
    parts, alone = trained_in_parts(collection, tiny, run, **performance), train(collection, tiny, "alone", run)
    assert_same_model(parts, alone)
    record, expected = (read_json(model / "training.json") for model in (parts, alone))
    assert record["processes"] == 2
    assert record["parameters"] == expected["parameters"]
    if "dev" in run:
        assert record["dev"]["kept_step"] == expected["dev"]["kept_step"]
        curves = [torch.tensor(found["dev"]["curve"]) for found in (record, expected)]
        torch.testing.assert_close(*curves, rtol=1e-3, atol=1e-3)


def test_adapters_are_trained_in_parts_too(collection, tiny):
    parts, alone = trained_in_parts(collection, tiny, ADAPTED), train(collection, tiny, "alone", ADAPTED)
    assert_same_model(parts, alone)
    torch.testing.assert_close(adapter(parts), adapter(alone), rtol=1e-3, atol=1e-4)


def test_frozen_weights_in_bf16_are_shared_out_beside_adapters_in_fp32(collection, tiny):
    run = ADAPTED | {"precision": "bf16"}
    parts, alone = trained_in_parts(collection, tiny, run), train(collection, tiny, "alone", run)
    curves = [[row[2] for row in read_json(model / "training.json")["curve"]] for model in (parts, alone)]
    assert curves[0] == pytest.approx(curves[1], rel=0.02)
    torch.testing.assert_close(weights(parts), weights(alone), rtol=0.05, atol=0.02)


def write_share(model: Path, folder: Path) -> None:
    with processes("cpu") as world:
        encoder = Encoder.load(model, Backbone(model="tiny", query_length=12, passage_length=24))
        whole = sum(parameter.numel() for parameter in encoder.parameters())
        shard(encoder.model, mesh_of(world))
        own = sum(parameter.to_local().numel() for parameter in encoder.parameters())
        (folder / str(world.rank)).write_text(f"{own} {whole}")


def test_each_process_has_its_part_alone(tiny, tmp_path):
    run_processes(2, write_share, tiny, tmp_path)
    shares = [tuple(map(int, (tmp_path / str(rank)).read_text().split())) for rank in range(2)]
    assert sum(own for own, _ in shares) == shares[0][1]
    assert max(own for own, _ in shares) < 0.6 * shares[0][1]


def stop_after(step: int, arguments: list[str]) -> None:
    """Train to a checkpoint and stop there."""
    from utility_annotation.training import trainer

    save = trainer.checkpoint.save

    def save_and_stop(*state) -> None:
        save(*state)
        if state[3].step >= step:
            raise KeyboardInterrupt

    trainer.checkpoint.save = save_and_stop
    with pytest.raises(KeyboardInterrupt):
        script.main(arguments)


@pytest.mark.parametrize(("run", "first", "then"), [({}, 2, 1), (ADAPTED, 1, 2)], ids=["all weights", "adapters"])
def test_a_stopped_training_goes_on_with_another_number_of_processes(collection, tiny, run, first, then):
    alone = train(collection, tiny, "alone", run)
    for count, function in ((first, partial(stop_after, 2)), (then, script.main)):
        performance = {"checkpoint_steps": 2, "fsdp": count == 2, "gpus": count}
        run_processes(count, function, collection.arguments(tiny, "stopped", RUN | run, performance))
        left = list((collection.folder / "stopped" / "checkpoints").glob("*/step-00000002"))
        assert len(left) == (function is not script.main)
    assert_same_model(collection.folder / "stopped" / "model", alone)


def test_one_process_alone_has_no_parts(collection, tiny):
    with pytest.raises(InputError, match=r"`performance\.train\.fsdp`.* one process.*torch\.distributed\.run"):
        train(collection, tiny, "run", fsdp=True, gpus=2)
