"""Trainings of LoRA's matrices: which weights change, what is written, and that nothing else decides them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import train as script
from peft import PeftModel
from safetensors.torch import load_file
from several import kill_with_a_checkpoint, run_processes
from test_trainer import RUN, train, weights
from tiny_bert import save_tiny_bert
from tiny_collection import BACKBONE, make_collection
from transformers import AutoModel, GPT2Config, GPT2Model

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json, write_json
from utility_annotation.settings import Backbone, Lora
from utility_annotation.training import lora, trainer
from utility_annotation.training.encoder import Encoder

ADAPTED = RUN | {"lora": {"r": 2, "alpha": 8, "dropout": 0.2}}
BERTS_TARGETS = {"query", "key", "value", "dense"}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def adapter(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "adapter" / "adapter_model.safetensors")


def assert_alike(model: Path, other: Path) -> None:
    """The same losses, and the same change of each weight, up to float error."""
    curves = [[row[2] for row in read_json(folder / "training.json")["curve"]] for folder in (model, other)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    torch.testing.assert_close(weights(model), weights(other), rtol=1e-3, atol=1e-4)


def vectors(encoder: Encoder) -> torch.Tensor:
    ids = encoder.token_ids(["red stone", "blue river garden music", "x"], "passage")
    with torch.no_grad():
        return encoder(*encoder.pad(ids))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> tuple[Path, Path]:
    """A BERT and its trained model."""
    collection = make_collection(tmp_path_factory.mktemp("bert"))
    return tiny, train(collection, tiny, "run", ADAPTED)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> tuple[Path, Path]:
    collection = make_collection(tmp_path_factory.mktemp("llama"))
    collection.backbone = BACKBONE | {"pooling": "last"}
    return tiny_llama, train(collection, tiny_llama, "run", ADAPTED)


MODELS = pytest.mark.parametrize(("which", "pooling"), [("bert", "cls"), ("llama", "last")])


@MODELS
def test_the_adapter_on_the_backbone_gives_the_vectors_of_the_merged_model(request, which, pooling):
    base, model = request.getfixturevalue(which)
    backbone = Backbone(**BACKBONE | {"pooling": pooling})
    apart = Encoder.load(base, backbone)
    untrained = vectors(apart)
    apart.model = PeftModel.from_pretrained(apart.model, model / "adapter").eval()
    merged = vectors(Encoder.load(model, backbone))
    assert torch.cosine_similarity(merged, vectors(apart)).min() > 0.9999
    assert torch.cosine_similarity(merged, untrained).max() < 0.999


@MODELS
def test_others_load_the_merged_model_and_not_the_adapter_once_more(request, which, pooling):
    from sentence_transformers import SentenceTransformer

    _, model = request.getfixturevalue(which)
    loaded = AutoModel.from_pretrained(model)
    assert not any("lora" in name for name in loaded.state_dict())
    for name, weight in weights(model).items():
        torch.testing.assert_close(loaded.state_dict()[name], weight)
    theirs = SentenceTransformer(str(model), device="cpu").encode(["red stone"], convert_to_tensor=True)
    ours = vectors(Encoder.load(model, Backbone(**BACKBONE | {"pooling": pooling})))
    torch.testing.assert_close(theirs, ours[:1], rtol=1e-4, atol=1e-5)


def test_the_weights_of_the_layers_that_are_named_change_and_no_others(collection, tiny):
    run = RUN | {"lora": {"r": 2, "targets": ["query", "attention.output.dense"]}}
    before, after = weights(tiny), weights(train(collection, tiny, "run", run))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        f"encoder.layer.{layer}.attention.{part}.weight" for layer in (0, 1) for part in ("self.query", "output.dense")
    }


def test_all_linear_layers_are_those_on_the_way_to_the_vectors(bert):
    """Not the pooler's, which transformers load but no vector depends on."""
    base, model = bert
    before, after = weights(base), weights(model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    linear = {name for name in before if name.endswith(tuple(f".{target}.weight" for target in BERTS_TARGETS))}
    assert changed == linear - {"pooler.dense.weight"}


def test_the_record_says_what_was_trained(bert):
    record = read_json(bert[1] / "training.json")
    assert record["training"]["lora"] == {"r": 2, "alpha": 8, "dropout": 0.2, "targets": "all-linear"}
    # 2 layers with 4 matrices of 16 × 16, and two of 16 × 32
    trained = 2 * 2 * (4 * (16 + 16) + 2 * (16 + 32))
    assert record["parameters"]["trained"] == trained == sum(tensor.numel() for tensor in adapter(bert[1]).values())
    assert record["parameters"]["all"] == trained + sum(tensor.numel() for tensor in weights(bert[1]).values())
    assert record["versions"]["peft"]


def test_a_training_of_all_weights_says_so_and_has_no_adapter(collection, tiny):
    model = train(collection, tiny, "run")
    record = read_json(model / "training.json")
    assert "lora" not in record["training"]
    assert "peft" not in record["versions"]
    assert record["parameters"]["all"] - record["parameters"]["trained"] == 16 * 16 + 16  # the pooler
    assert not (model / "adapter").exists()


@pytest.mark.parametrize("loss", ["singlelh", "first1lh", "rand1lh", "jointlh", "lsepair", "kl"])
def test_every_loss_falls(tmp_path, tiny_still, loss):
    collection = make_collection(tmp_path, scores=loss == "kl")
    if loss == "singlelh":
        for query_id, pool in collection.pool.items():
            collection.labels[query_id] = {candidate["docid"]: float(candidate["human"]) for candidate in pool}
        collection.write()
    run = ADAPTED | {"loss": loss, "train_group_size": 8, "global_batch_size": 10, "epochs": 12, "warmup_ratio": 0}
    curve = read_json(train(collection, tiny_still, "run", run) / "training.json")["curve"]
    assert curve[-1][2] < 0.8 * curve[0][2]


@pytest.mark.parametrize(
    "performance", [{"grad_cache_chunk": 2}, {"gradient_checkpointing": True}], ids=["cached", "checkpointed"]
)
def test_what_saves_memory_gives_the_same_model(bert, collection, performance):
    base, model = bert
    assert_alike(train(collection, base, "run", ADAPTED, **performance), model)


@pytest.mark.process
def test_two_processes_give_the_same_model(bert, collection):
    base, model = bert
    run_processes(2, script.main, collection.arguments(base, "run", ADAPTED, {"grad_cache_chunk": 3}))
    assert_alike(collection.folder / "run" / "model", model)


def test_the_seed_alone_decides_the_first_matrices(tiny):
    def first(seed: int, settings: Lora) -> dict[str, torch.Tensor]:
        encoder = Encoder.load(tiny, Backbone(**BACKBONE))
        state = torch.get_rng_state()
        lora.add(encoder, settings, seed)
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(7)
        return {name: value for name, value in encoder.named_parameters() if "lora_A" in name}

    settings = Lora(r=2)
    one, again, other = (first(seed, settings) for seed in (1, 1, 2))
    assert one
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.process
def test_a_killed_training_goes_on_to_the_model_of_an_uninterrupted_one(collection, tiny):
    run = ADAPTED | {"epochs": 20}
    whole = train(collection, tiny, "whole", run)
    arguments = collection.arguments(tiny, "killed", run, {"checkpoint_steps": 7})
    left = kill_with_a_checkpoint(collection.folder / "killed" / "checkpoints", script.main, arguments)
    assert 7 <= read_json(left / "progress.json")["step"] < 60
    script.main(arguments)
    model = collection.folder / "killed" / "model"
    torch.testing.assert_close(weights(model), weights(whole), rtol=0, atol=0)
    torch.testing.assert_close(adapter(model), adapter(whole), rtol=0, atol=0)


def test_a_checkpoint_has_the_trained_weights_and_their_moments_alone(collection, tiny, monkeypatch):
    def save_and_stop(*state: Any) -> None:
        real(*state)
        raise KeyboardInterrupt

    real = trainer.checkpoint.save
    monkeypatch.setattr(trainer.checkpoint, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        script.main(collection.arguments(tiny, "run", ADAPTED, {"checkpoint_steps": 2}))
    (folder,) = (collection.folder / "run" / "checkpoints").glob("*/step-*")
    kept, moments = (load_file(folder / f"{name}.safetensors") for name in ("model", "optimizer"))
    assert len(kept) == 2 * 2 * 6
    assert all("lora_" in name for name in kept)
    assert {name.rpartition(".")[0] for name in moments} == set(kept)


@pytest.mark.parametrize("second", [{}, {"lora": {"r": 4}}], ids=["all weights", "adapter"])
def test_a_second_stage_starts_from_the_merged_model_with_a_new_adapter(collection, bert, second):
    """With a learning rate near nothing it ends where it starts."""
    _, first = bert
    run = {"epochs": 1, "learning_rate": 1e-12}
    model = train(collection, first, "second", run | second)
    torch.testing.assert_close(weights(model), weights(first), rtol=0, atol=1e-9)
    if second:
        assert {min(tensor.shape) for tensor in adapter(model).values()} == {4}
        assert max(value.abs().max() for name, value in adapter(model).items() if "lora_B" in name) < 1e-9
        assert read_json(model / "adapter" / "adapter_config.json")["base_model_name_or_path"] == str(first)


def test_the_adapter_has_its_weights_and_a_configuration_in_a_fixed_order(bert):
    """peft writes the names of layers in the order of a set, which changes from run to run."""
    folder = bert[1] / "adapter"
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    targets = read_json(folder / "adapter_config.json")["target_modules"]
    assert len(targets) == 12
    assert targets == sorted(targets)


def test_the_adapter_s_base_is_that_of_the_hub_if_it_comes_from_there(collection, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "fetched")
    write_json(folder / "source.json", {"source": {"hub": "someone/encoder", "revision": "abc"}, "sha256": {}})
    config = read_json(train(collection, folder, "run", ADAPTED) / "adapter" / "adapter_config.json")
    assert (config["base_model_name_or_path"], config["revision"]) == ("someone/encoder", "abc")


def test_the_adapter_s_configuration_has_the_settings(bert):
    config = read_json(bert[1] / "adapter" / "adapter_config.json")
    assert [config[key] for key in ("peft_type", "r", "lora_alpha", "lora_dropout")] == ["LORA", 2, 8, 0.2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"targets": ["q_proj"]},
            r"has 'q_proj', .*\(known: .*Fix: use some of dense, key, query, value, or all-linear",
        ),
        ({"targets": ["query", "valu"]}, r"has 'valu', .*\(did you mean 'value'\?\)"),
        ({"targets": ["pooler.dense"]}, r"has 'pooler\.dense', but no linear layer that the vectors depend on"),
        ({"targets": ["uery"]}, r"has 'uery'"),
        ({"r": 17}, r"lora\.r` is 17, but the layer \S*query has 16 × 16 weights\. Fix: set `r` to at most 16, or"),
        ({"r": 17, "targets": ["intermediate.dense"]}, r"intermediate\.dense has 32 × 16 weights"),
    ],
)
def test_settings_that_do_not_fit_the_model_are_refused(collection, tiny, settings, message):
    with pytest.raises(InputError, match=message):
        train(collection, tiny, "run", {"lora": settings})


def test_gpt2_whose_layers_have_their_weights_turned_is_adapted_too(tmp_path):
    folder, backbone = save_tiny_bert(tmp_path / "gpt2"), Backbone(**BACKBONE | {"pooling": "last"})
    GPT2Model(GPT2Config(vocab_size=128, n_embd=16, n_layer=2, n_head=2, n_positions=64)).save_pretrained(folder)
    encoder = Encoder.load(folder, backbone)
    untrained = vectors(encoder)
    adapters = lora.add(encoder, Lora(r=2), 1)
    for name, parameter in encoder.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted = vectors(encoder.eval())
    lora.save(encoder, adapters, tmp_path / "model")
    torch.testing.assert_close(vectors(Encoder.load(tmp_path / "model", backbone)), adapted, rtol=1e-4, atol=1e-5)
    assert (adapted - untrained).abs().max() > 0.01


def test_the_largest_rank_is_that_of_the_layer(tiny):
    encoder = Encoder.load(tiny, Backbone(**BACKBONE))
    assert lora.add(encoder, Lora(r=16, targets=("query",)), 1)


def test_a_model_without_linear_layers_is_refused(tiny):
    encoder = Encoder.load(tiny, Backbone(**BACKBONE)).requires_grad_(False)
    with pytest.raises(InputError, match=r"\(bert\) has no linear layers.*Fix: train without"):
        lora.add(encoder, Lora(), 1)
