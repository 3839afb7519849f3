"""A tiny encoder and a small labelled pool, as files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_bert import save_tiny_bert
from tiny_collection import Collection, make_collection
from transformers import LlamaConfig, LlamaModel


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return make_collection(tmp_path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With dropout."""
    return save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder with the tokenizer of the tiny BERT, and with dropout in its attention."""
    folder = save_tiny_bert(tmp_path_factory.mktemp("model") / "llama")
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.2,
        attention_dropout=0.1,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without dropout."""
    return save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny_still", dropout=0.0)
