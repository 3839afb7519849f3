"""A real but tiny BERT with random weights and a small WordPiece vocabulary, for tests that need an encoder."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

WORDS = [
    "red",
    "blue",
    "green",
    "stone",
    "river",
    "cloud",
    "horse",
    "paper",
    "light",
    "music",
    "ship",
    "garden",
    "winter",
    "copper",
]


def save_tiny_bert(folder: Path, *, seed: int = 0, dropout: float = 0.1) -> Path:
    """Write a Hugging Face model folder: 2 layers, 16 dimensions, 64 positions; returns the folder."""
    folder.mkdir(parents=True)
    letters = string.ascii_lowercase + string.digits
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", *WORDS, *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertModel(
            BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=64,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
                initializer_range=0.2,
            )
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
