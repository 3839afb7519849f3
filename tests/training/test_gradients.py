"""One process, several, gradient caching, layers that are computed again: the same loss and gradient."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from several import run_processes
from tiny_bert import WORDS

from utility_annotation.settings import Backbone, Lora
from utility_annotation.training.dropout import prepare
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.gradients import Pass, backward, recompute_layers
from utility_annotation.training.lora import add, store_frozen
from utility_annotation.training.losses import lse_pair
from utility_annotation.training.processes import processes
from utility_annotation.training.sharding import mesh_of, shard, whole

BACKBONE = Backbone(model="tiny", query_length=12, passage_length=24)
LORA = Lora(r=3, dropout=0.3)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 queries and 8 passages of very different lengths; 11 texts do not divide by 2 or 3."""
    generator = random.Random(1)
    path = tmp_path_factory.mktemp("texts") / "texts.json"
    words = [" ".join(generator.choices(WORDS, k=generator.randint(1, 22))) for _ in range(11)]
    positives = [[passage % 3 == query for passage in range(8)] for query in range(3)]
    path.write_text(json.dumps({"queries": words[:3], "passages": words[3:], "positives": positives}))
    return path


def write_gradients(
    model: Path,
    texts_path: Path,
    grad_cache_chunk: int,
    output: Path,
    *,
    again: bool = False,
    lora: Lora | None = None,
    fsdp: bool = False,
    precision: str = "fp32",
    frozen: str = "fp32",
) -> None:
    """What each process does: its share of the texts, then gradients and loss to ``output``/rank."""
    content = json.loads(texts_path.read_text())
    texts = content["queries"] + content["passages"]
    positives = torch.tensor(content["positives"])
    with processes("cpu") as world:
        pooling = "last" if model.name == "llama" else "cls"
        encoder = Encoder.load(model, BACKBONE.model_copy(update={"pooling": pooling})).train()
        prepare(encoder.model)
        if lora:
            add(encoder, lora, seed=5)
            for name, parameter in encoder.named_parameters():
                if "lora_B" in name:  # it begins as 0, and then the other matrix has no gradient
                    torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(len(name)))
            store_frozen(encoder, frozen)
            encoder.train()
        if again:
            recompute_layers(encoder.model)
        if fsdp:
            shard(encoder.model, mesh_of(world))
        loss = backward(
            encoder,
            encoder.token_ids([texts[text] for text in world.share(len(texts))], "passage"),
            len(texts),
            lambda vectors: lse_pair(vectors[:3] @ vectors[3:].T, positives, ~positives),
            Pass(grad_cache_chunk, precision, seed=3, sharded=fsdp),
            world,
            step=0,
        )
        output.mkdir(exist_ok=True)
        save_file(_gradients(encoder) | {"loss": torch.tensor(loss)}, output / str(world.rank))


def _gradients(encoder: Encoder) -> dict[str, torch.Tensor]:
    return {name: whole(value.grad) for name, value in encoder.named_parameters() if value.grad is not None}


@pytest.fixture(scope="module")
def plain(tiny_still: Path, texts: Path) -> dict[str, torch.Tensor]:
    """The gradient by plain back-propagation through one pass over all texts, with none of our scheme."""
    content = json.loads(texts.read_text())
    encoder = Encoder.load(tiny_still, BACKBONE).train()
    vectors = encoder(*encoder.pad(encoder.token_ids(content["queries"] + content["passages"], "passage")))
    positives = torch.tensor(content["positives"])
    loss = lse_pair(vectors[:3] @ vectors[3:].T, positives, ~positives)
    loss.backward()
    assert sum(value.abs().sum() for value in _gradients(encoder).values()) > 1
    return _gradients(encoder) | {"loss": loss.detach()}


@pytest.mark.process
@pytest.mark.parametrize(("count", "grad_cache_chunk"), [(1, 0), (1, 2), (1, 100), (2, 0), (3, 2)])
def test_gradient_equals_plain_back_propagation(tiny_still, texts, tmp_path, plain, count, grad_cache_chunk):
    if count == 1:
        write_gradients(tiny_still, texts, grad_cache_chunk, tmp_path / "gradients")
    else:
        run_processes(count, write_gradients, tiny_still, texts, grad_cache_chunk, tmp_path / "gradients")
    for rank in range(count):
        torch.testing.assert_close(load_file(tmp_path / "gradients" / str(rank)), plain, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def with_dropout(tiny: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """One process, one chunk."""
    output = tmp_path_factory.mktemp("dropout")
    write_gradients(tiny, texts, 0, output)
    return load_file(output / "0")


@pytest.mark.parametrize("grad_cache_chunk", [1, 2, 100])
def test_dropout_does_not_depend_on_the_chunks(tiny, texts, tmp_path, with_dropout, plain, grad_cache_chunk):
    write_gradients(tiny, texts, grad_cache_chunk, tmp_path)
    torch.testing.assert_close(load_file(tmp_path / "0"), with_dropout, rtol=1e-4, atol=1e-5)
    assert (with_dropout["loss"] - plain["loss"]).abs() > 1e-3


@pytest.mark.process
@pytest.mark.parametrize(("count", "grad_cache_chunk"), [(2, 0), (3, 2)])
def test_dropout_does_not_depend_on_the_processes(tiny, texts, tmp_path, with_dropout, count, grad_cache_chunk):
    run_processes(count, write_gradients, tiny, texts, grad_cache_chunk, tmp_path)
    for rank in range(count):
        torch.testing.assert_close(load_file(tmp_path / str(rank)), with_dropout, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("grad_cache_chunk", [0, 2])
def test_layers_that_are_computed_again_have_the_same_masks(tiny, texts, tmp_path, with_dropout, grad_cache_chunk):
    write_gradients(tiny, texts, grad_cache_chunk, tmp_path, again=True)
    torch.testing.assert_close(load_file(tmp_path / "0"), with_dropout, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("again", [False, True])
def test_layers_that_are_computed_again_are_not_kept(tiny, again):
    """What a layer makes, such as its attention of shape (texts, heads, tokens, tokens)."""
    encoder = Encoder.load(tiny, BACKBONE).train()
    prepare(encoder.model)
    if again:
        recompute_layers(encoder.model)
    kept: set[tuple[int, ...]] = set()
    ids, mask = encoder.pad(encoder.token_ids(["red stone"] * 5, "passage"))
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.add(tuple(tensor.shape)) or tensor, lambda t: t):
        encoder(ids, mask)
    assert ((5, 2, 4, 4) in kept) is not again


@pytest.fixture(scope="module", params=["tiny", "tiny_llama"])
def adapted(request, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """A model with dropout, and the gradient of adapters with dropout: one process, one chunk."""
    model = request.getfixturevalue(request.param)
    output = tmp_path_factory.mktemp("adapted")
    write_gradients(model, texts, 0, output, lora=LORA)
    gradients = load_file(output / "0")
    assert all(name == "loss" or ("lora_" in name and value.abs().max() > 1e-3) for name, value in gradients.items())
    return model, gradients


@pytest.mark.parametrize(("grad_cache_chunk", "again"), [(1, False), (2, False), (0, True), (2, True)])
def test_adapters_have_the_same_gradient_however_memory_is_saved(texts, tmp_path, adapted, grad_cache_chunk, again):
    model, gradients = adapted
    write_gradients(model, texts, grad_cache_chunk, tmp_path, again=again, lora=LORA)
    torch.testing.assert_close(load_file(tmp_path / "0"), gradients, rtol=1e-3, atol=1e-4)


def test_the_adapters_own_dropout_is_on(texts, tmp_path, adapted):
    model, gradients = adapted
    write_gradients(model, texts, 0, tmp_path, lora=LORA.model_copy(update={"dropout": 0.0}))
    assert (load_file(tmp_path / "0")["loss"] - gradients["loss"]).abs() > 1e-3


@pytest.mark.process
@pytest.mark.parametrize(("count", "grad_cache_chunk", "again"), [(2, 0, False), (3, 2, True)])
def test_adapters_have_the_same_gradient_in_several_processes(texts, tmp_path, adapted, count, grad_cache_chunk, again):
    model, gradients = adapted
    write = partial(write_gradients, again=again, lora=LORA)
    run_processes(count, write, model, texts, grad_cache_chunk, tmp_path / "gradients")
    for rank in range(count):
        torch.testing.assert_close(load_file(tmp_path / "gradients" / str(rank)), gradients, rtol=1e-3, atol=1e-4)


@pytest.mark.process
@pytest.mark.parametrize(("count", "grad_cache_chunk", "again"), [(2, 0, False), (2, 2, True), (3, 1, False)])
def test_sharded_processes_have_the_same_gradient(tiny, texts, tmp_path, with_dropout, count, grad_cache_chunk, again):
    """Three processes have 4, 4 and 3 of the texts, so that one of them rests in one pass."""
    write = partial(write_gradients, again=again, fsdp=True)
    run_processes(count, write, tiny, texts, grad_cache_chunk, tmp_path / "gradients")
    for rank in range(count):
        torch.testing.assert_close(load_file(tmp_path / "gradients" / str(rank)), with_dropout, rtol=1e-4, atol=1e-5)


@pytest.mark.process
@pytest.mark.parametrize(("count", "grad_cache_chunk", "again"), [(2, 0, True), (3, 1, False)])
def test_sharded_adapters_have_the_same_gradient(texts, tmp_path, adapted, count, grad_cache_chunk, again):
    model, gradients = adapted
    write = partial(write_gradients, again=again, lora=LORA, fsdp=True)
    run_processes(count, write, model, texts, grad_cache_chunk, tmp_path / "gradients")
    for rank in range(count):
        torch.testing.assert_close(load_file(tmp_path / "gradients" / str(rank)), gradients, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("grad_cache_chunk", [0, 2])
def test_frozen_weights_in_a_pass_s_precision_change_no_gradient(texts, tmp_path, adapted, grad_cache_chunk):
    model, _ = adapted
    for frozen in ("fp32", "bf16"):
        folder = tmp_path / frozen
        write_gradients(model, texts, grad_cache_chunk, folder, lora=LORA, precision="bf16", frozen=frozen)
    found, expected = (load_file(tmp_path / frozen / "0") for frozen in ("bf16", "fp32"))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_frozen_linear_weights_take_half_the_memory(tiny):
    encoder = Encoder.load(tiny, BACKBONE)
    add(encoder, LORA, seed=5)
    store_frozen(encoder, "bf16")
    kept = {name: parameter.dtype for name, parameter in encoder.named_parameters()}
    assert {kept[name] for name in kept if name.endswith("base_layer.weight")} == {torch.bfloat16}
    assert {kept[name] for name in kept if "lora_" in name or "LayerNorm" in name} == {torch.float32}
