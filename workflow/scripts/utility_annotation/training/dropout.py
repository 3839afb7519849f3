"""Dropout masks that a text keeps, whatever batch, chunk, process or device encodes it.

PyTorch draws a mask from a stream that goes through the whole tensor, so a text's mask changes with its neighbours and
its padding. Here a mask is a hash (the finaliser of SplitMix64; Steele et al., Fast Splittable Pseudorandom Number
Generators, 2014) of the text's seed, the place of the dropout in the model, and the element's index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import dropout, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

from ..common.errors import InputError

_GOLDEN = -0x61C8864680B583EB
_ROUNDS = ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15))
_LAST_SHIFT = 31
_LEVELS = 1 << 16
"""Each element has 16 random bits: a probability is met to 1 / 65,536."""
_LANES = 4
"""Elements per 64-bit hash."""


class TextDropout(TorchFunctionMode):
    """Within this context, dropout draws its masks per text.

    A model must pass through :func:`prepare` first. Each context counts the dropouts from the first one, so that the
    second pass of gradient caching gets the masks of the first.

    Raises:
        InputError: a fused attention kernel would draw the masks, or a dropout's rows are no texts.

    Args:
        seeds: one seed per row of the batch, from :func:`text_seeds`; int64 (rows,), on the device of the batch.
        dropouts: dropouts of the model that go before.
    """

    def __init__(self, seeds: Tensor, dropouts: int = 0) -> None:
        super().__init__()
        self.seeds, self.dropouts = seeds, dropouts

    def __enter__(self) -> Self:
        self._before: Token[TextDropout | None] = _CURRENT.set(self)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        _CURRENT.reset(self._before)
        super().__exit__(*error)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is dropout:
            return self._dropout(*args, **kwargs)
        if func is scaled_dot_product_attention and kwargs.get("dropout_p", 0.0) > 0:
            raise InputError(
                "the model's attention draws dropout masks of its own, which would depend on the batch.",
                hint="set the model's attention dropout to 0 in its config.json, or take another backbone.",
            )
        return func(*args, **kwargs)

    def _dropout(self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or not p:
            return input
        if p == 1:
            return input * 0
        if len(input) not in (1, len(self.seeds)):
            raise InputError(
                f"a dropout of the model sees {len(input)} rows of {len(self.seeds)} texts, which share them.",
                hint="set `trainings.*.lora.dropout` to 0, and the model's own dropouts in its config.json.",
            )
        self.dropouts += 1
        dropped = min(_LEVELS - 1, round(p * _LEVELS))
        kept = _random_bits(self.seeds + _wrapped(self.dropouts * _GOLDEN), input.shape) >= dropped - _LEVELS // 2
        return (input * kept) * (_LEVELS / (_LEVELS - dropped))


_CURRENT: ContextVar[TextDropout | None] = ContextVar("the masks of this pass", default=None)


def same_masks() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Contexts of a layer's pass, and of the later one that computes it again: both draw the same masks."""
    masks = _CURRENT.get()
    return nullcontext(), nullcontext() if masks is None else TextDropout(masks.seeds, masks.dropouts)


def prepare(model: PreTrainedModel) -> None:
    """Make the model compute attention in steps: a fused kernel draws its own masks for the attention weights."""
    modules = any(module.p for module in model.modules() if isinstance(module, torch.nn.Dropout))
    if modules or getattr(model.config, "attention_dropout", None):
        model.set_attn_implementation("eager")


def text_seeds(seed: int, step: int, texts: Sequence[int]) -> Tensor:
    """One seed per text of a step's batch.

    Args:
        seed: the training's seed.
        step: the optimiser step.
        texts: the places of the texts in the whole batch.

    Returns:
        int64 (len(texts),).
    """
    digests = (hashlib.sha256(f"{seed} {step} {text}".encode()).digest() for text in texts)
    return torch.tensor([int.from_bytes(digest[:8], "little", signed=True) for digest in digests])


def _random_bits(seeds: Tensor, shape: Sequence[int]) -> Tensor:
    """Uniform int16 of ``shape``; an element depends on its row's seed and its own index, not on the other sizes."""
    *leading, last = shape
    bits = seeds.view(-1, *[1] * (len(shape) - 1))
    for dimension, size in enumerate((*leading[1:], -(-last // _LANES)), start=1):
        index = torch.arange(1, size + 1, device=seeds.device).view(-1, *[1] * (len(shape) - 1 - dimension))
        bits = bits + index * _wrapped(_GOLDEN * (2 * dimension + 1) ** 9)
    for shift, factor in _ROUNDS:
        bits ^= _shifted(bits, shift)
        bits *= factor
    bits ^= _shifted(bits, _LAST_SHIFT)
    return bits.view(torch.int16)[..., :last]


def _shifted(bits: Tensor, shift: int) -> Tensor:
    """Shift right, with zeros from the left."""
    return (bits >> shift).bitwise_and_((1 << 64 - shift) - 1)


def _wrapped(number: int) -> int:
    """The number modulo 2^64, as int64."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
