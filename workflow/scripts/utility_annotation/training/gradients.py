"""The gradient of a loss over a whole batch, in one process or many, at once or in chunks.

Every process encodes its share of the batch's texts and gathers the vectors of all texts, without their graph. It
computes the whole loss on these vectors as leaves, takes the gradient of its own share, and propagates it back through
its own encoder pass. The parameters' gradients are summed over the processes. With gradient caching the first pass
keeps no graph, and each chunk is encoded a second time for the backward pass (Gao et al., Scaling Deep Contrastive
Learning Batch Size under Memory Limited Setup, 2021). All variants give the same gradient, up to float error: dropout
masks depend on the seed, the step and the text alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ..common.errors import InputError
from .dropout import TextDropout, same_masks, text_seeds
from .encoder import length_batches
from .processes import World
from .sharding import idle_passes

if TYPE_CHECKING:
    from .kinds import Model

_BATCH_TOKENS = {"cpu": 2048, "cuda": 32768}
"""Padded tokens in one encoder pass without gradient caching: enough to keep the device busy."""


DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What linear layers compute in, by the name of the precision; None is what the weights are in."""


@dataclass(frozen=True)
class Pass:
    """How texts go through the encoder.

    Attributes:
        grad_cache_chunk: texts encoded at a time with gradient caching; 0 turns it off.
        precision: fp32, bf16 or fp16 (autocast; vectors and loss are fp32 always).
        seed: decides the dropout masks, together with step and text.
        sharded: whether each process has a part of the encoder (see :mod:`.sharding`).
    """

    grad_cache_chunk: int
    precision: str
    seed: int
    sharded: bool = False

    def chunks(self, lengths: Sequence[int], device: torch.device) -> list[list[int]]:
        """Texts of similar length together: by count with gradient caching, by padded tokens without."""
        if not self.grad_cache_chunk:
            return length_batches(lengths, _BATCH_TOKENS[device.type])
        longest_first = sorted(range(len(lengths)), key=lambda index: -lengths[index])
        return [
            longest_first[start : start + self.grad_cache_chunk]
            for start in range(0, len(lengths), self.grad_cache_chunk)
        ]

    def idle_passes(self, passes: int, world: World) -> int:
        """How many passes another process makes more, if this one must keep step with it."""
        return idle_passes(passes, world, world.device) if self.sharded else 0


def recompute_layers(model: PreTrainedModel) -> None:
    """Keep the input of each layer alone, and compute the layer again in the backward pass (gradient checkpointing).

    Raises:
        InputError: transformers cannot do that with this kind of model.
    """
    if not model.supports_gradient_checkpointing:
        raise InputError(
            f"this model ({model.config.model_type}) has no gradient checkpointing.",
            hint="set `performance.train.gradient_checkpointing` to false. A low `performance.train.grad_cache_chunk`, "
            "such as 8, saves memory too.",
        )
    model.activation_checkpointing_enable({"use_reentrant": False, "context_fn": same_masks})


def backward(
    encoder: Model,
    token_ids: Sequence[Any],
    texts: int,
    loss_of: Callable[[Tensor], Tensor],
    how: Pass,
    world: World,
    *,
    step: int,
    scale: Callable[[Tensor], Tensor] = lambda gradient: gradient,
) -> float:
    """Add the gradient of a batch's loss to the encoder's parameters; return the loss, the same in every process.

    Args:
        encoder: the encoder, on ``world.device``.
        token_ids: the tokens of this process's share of the texts, as ``encoder.pad`` takes them.
        texts: number of texts of the whole batch, N.
        loss_of: from the vectors of all texts, fp32 (N, dimension), to the loss.
        how: chunks, precision, seed.
        world: the processes.
        step: the optimiser step.
        scale: the loss scaling that fp16 needs.
    """
    share = world.share(texts)
    seeds = text_seeds(how.seed, step, share)
    chunks = how.chunks([len(ids) for ids in token_ids], world.device)
    chunks += [[]] * how.idle_passes(len(chunks), world)

    def encode(chunk: list[int]) -> Tensor:
        if not chunk:
            with autocast(world.device, how.precision):
                return encoder.idle(world.device)
        inputs = encoder.pad([token_ids[index] for index in chunk])
        masks = TextDropout(seeds[chunk].to(world.device))
        with masks, autocast(world.device, how.precision):
            return encoder(*(tensor.to(world.device) for tensor in inputs))

    vectors = torch.zeros(texts, encoder.dimension, device=world.device)
    places = [
        torch.tensor([share[index] for index in chunk], dtype=torch.int64, device=world.device) for chunk in chunks
    ]
    encoded: list[Tensor] = []
    for chunk, place in zip(chunks, places, strict=True):
        with torch.no_grad() if how.grad_cache_chunk else nullcontext():
            encoded.append(encode(chunk))
        vectors[place] = encoded[-1].detach()
    world.sum(vectors)

    vectors.requires_grad_()
    loss = loss_of(vectors)
    (gradient,) = torch.autograd.grad(loss, vectors)
    for number, (chunk, place) in enumerate(zip(chunks, places, strict=True)):
        (encode(chunk) if how.grad_cache_chunk else encoded[number]).backward(scale(gradient[place]))
    if world.size > 1 and not how.sharded:  # the parts of a sharded encoder are summed already
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                world.sum(parameter.grad)
    return loss.item()


@contextmanager
def autocast(device: torch.device, precision: str) -> Iterator[None]:
    """A precision of the encoder's pass, from ``DTYPES``."""
    dtype = DTYPES[precision]
    with nullcontext() if dtype is None else torch.autocast(device.type, dtype):
        yield
