"""A real engine on a tiny, randomly initialised model with the real tokenizer of the demo's annotator."""

from __future__ import annotations

from pathlib import Path

import pytest

from utility_annotation.io import models
from utility_annotation.settings import Annotator, EnginePerformance, Model, Performance


@pytest.fixture(scope="session")
def tiny_model(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared Llama of two narrow layers that speaks the real tokenizer and chat template."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.5,
    )
    source = tmp_path_factory.mktemp("tiny") / "source"
    LlamaForCausalLM(config).save_pretrained(source)
    tokenizer.save_pretrained(source)
    prepared = source.with_name("prepared")
    models.prepare(Model(path=str(source)), prepared)
    return prepared


@pytest.fixture(scope="session")
def annotator() -> Annotator:
    """fp32, greedy, listwise."""
    return Annotator(model="tiny", precision="fp32")


@pytest.fixture(scope="session")
def engine(tiny_model: Path, annotator: Annotator):
    """The transformers engine on the tiny model, in small batches."""
    from utility_annotation.engines.transformers_engine import TransformersEngine

    performance = Performance(annotate=EnginePerformance(batch_tokens=600, device="cpu"))
    return TransformersEngine(tiny_model, annotator, performance)


@pytest.fixture(autouse=True)
def _quick_and_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are asked again soon, without a key or a proxy of the user's."""
    from utility_annotation.engines import server

    monkeypatch.setattr(server, "_FIRST_PAUSE", 0.02)
    for name in ("OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
