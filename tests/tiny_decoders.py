"""Real but tiny models with random weights of several architectures, with a tokenizer of bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModel, PreTrainedConfig, PreTrainedTokenizerFast

_SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
_HEADS: dict[str, Any] = _SIZES | {"num_key_value_heads": 2, "head_dim": 8}

CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: transformers.LlamaConfig(**_HEADS),
    "qwen3": lambda: transformers.Qwen3Config(**_HEADS),
    "gemma2": lambda: transformers.Gemma2Config(**_HEADS, sliding_window=8),
    "gemma3": lambda: transformers.Gemma3TextConfig(**_HEADS, sliding_window=8),
    "gemma3-with-images": lambda: transformers.Gemma3Config(
        text_config=_HEADS | {"sliding_window": 8},
        vision_config={key: _SIZES[key] for key in ("hidden_size", "intermediate_size", "num_attention_heads")}
        | {"num_hidden_layers": 1, "image_size": 16, "patch_size": 8},
        mm_tokens_per_image=4,
        boi_token_index=297,
        eoi_token_index=298,
        image_token_index=299,
    ),
    # positions are learnt, so that a shifted text has other vectors
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=64, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    ),
    "modernbert": lambda: transformers.ModernBertConfig(
        **_SIZES, global_attn_every_n_layers=2, local_attention=8, cls_token_id=1, sep_token_id=2
    ),
    "mamba": lambda: transformers.MambaConfig(vocab_size=300, hidden_size=32, num_hidden_layers=1, state_size=4),
}
"""By architecture."""


def save_tiny_decoder(
    folder: Path,
    architecture: str = "llama",
    *,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    pad: str | None = "<pad>",
    eos: str | None = "</s>",
    side: str = "right",
) -> Path:
    """Write a Hugging Face model folder: 2 layers, 32 dimensions, 64 positions; returns the folder.

    Args:
        folder: where.
        architecture: a key of ``CONFIGS``.
        before: special tokens that the tokenizer puts before each text, of ``<pad>``, ``<s>``, ``</s>`` and ``<end>``.
        after: those after each text.
        pad: the padding token.
        eos: the end-of-sequence token.
        side: the side on which the tokenizer pads and cuts.
    """
    special = ["<pad>", "<s>", "</s>", "<end>"]
    vocabulary = {token: place for place, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(special)
    if before or after:
        backend.post_processor = processors.TemplateProcessing(
            single=[*before, "$A", *after], special_tokens=[(token, vocabulary[token]) for token in {*before, *after}]
        )
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token=pad, eos_token=eos, padding_side=side, truncation_side=side
    ).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModel.from_config(CONFIGS[architecture]()).save_pretrained(folder)
    return folder
