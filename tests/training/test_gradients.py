"""One process without gradient caching, one with it, and several processes: the same loss and gradient."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from several import run_processes
from tiny_bert import WORDS

from utility_annotation.settings import Backbone
from utility_annotation.training.dropout import prepare
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.gradients import Pass, backward
from utility_annotation.training.losses import lse_pair
from utility_annotation.training.processes import processes

BACKBONE = Backbone(model="tiny", query_length=12, passage_length=24)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 queries and 8 passages of very different lengths; 11 texts do not divide by 2 or 3."""
    generator = random.Random(1)
    path = tmp_path_factory.mktemp("texts") / "texts.json"
    words = [" ".join(generator.choices(WORDS, k=generator.randint(1, 22))) for _ in range(11)]
    positives = [[passage % 3 == query for passage in range(8)] for query in range(3)]
    path.write_text(json.dumps({"queries": words[:3], "passages": words[3:], "positives": positives}))
    return path


def write_gradients(model: Path, texts_path: Path, grad_cache_chunk: int, output: Path) -> None:
    """What each process does: its share of the texts, then gradients and loss to ``output``/rank."""
    content = json.loads(texts_path.read_text())
    texts = content["queries"] + content["passages"]
    positives = torch.tensor(content["positives"])
    with processes("cpu") as world:
        encoder = Encoder.load(model, BACKBONE).train()
        prepare(encoder.model)
        loss = backward(
            encoder,
            encoder.token_ids([texts[text] for text in world.share(len(texts))], "passage"),
            len(texts),
            lambda vectors: lse_pair(vectors[:3] @ vectors[3:].T, positives, ~positives),
            Pass(grad_cache_chunk, "fp32", seed=3),
            world,
            step=0,
        )
        output.mkdir(exist_ok=True)
        save_file(_gradients(encoder) | {"loss": torch.tensor(loss)}, output / str(world.rank))


def _gradients(encoder: Encoder) -> dict[str, torch.Tensor]:
    return {name: value.grad for name, value in encoder.named_parameters() if value.grad is not None}


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
