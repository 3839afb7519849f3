"""What the training programs share, so that they do the same work: options, settings, and what is written."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

LEARNING_RATE, TEMPERATURE, MAX_GRAD_NORM = 2e-5, 0.05, 1.0
LORA_ALPHA, LORA_SEED = 32, 0
QUERY_LENGTH, PASSAGE_LENGTH, PAIR_LENGTH = 32, 128, 256


@dataclass(frozen=True)
class Batch:
    """Queries, and as many passages for each: the positive first, then hard negatives."""

    queries: list[str]
    passages: list[list[str]]


@dataclass(frozen=True)
class Task:
    """The command line of a training program.

    Attributes:
        rank: of LoRA's matrices; 0 trains all weights.
    """

    model: Path
    batches: list[Batch]
    steps: int
    grad_cache_chunk: int
    output: Path
    pooling: str
    rank: int

    @classmethod
    def from_command_line(cls, description: str) -> Task:
        """Parse the options."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--model", type=Path, required=True, help="model folder")
        parser.add_argument("--batches", type=Path, required=True, help="file of generate_passages.py batches")
        parser.add_argument("--steps", type=int, required=True, help="steps to time, after one to warm up")
        parser.add_argument(
            "--grad-cache-chunk", type=int, required=True, help="texts encoded at a time; 0 for no cache"
        )
        parser.add_argument("--output", type=Path, required=True, help="gradient of the first step (safetensors)")
        parser.add_argument("--pooling", default="mean", help="mean, or last of a decoder")
        parser.add_argument("--lora-rank", type=int, default=0, help="of LoRA's matrices; 0 trains all weights")
        arguments = parser.parse_args()
        content = json.loads(arguments.batches.read_text(encoding="utf-8"))
        batches = [Batch(**batch) for batch in content]
        return cls(
            arguments.model,
            batches,
            arguments.steps,
            arguments.grad_cache_chunk,
            arguments.output,
            arguments.pooling,
            arguments.lora_rank,
        )

    def run(self, transformer: torch.nn.Module, backward: Callable[[Batch], int], update: Callable[[], None]) -> None:
        """Take the steps, and print tokens and seconds of all but the first, whose gradient is written.

        Args:
            transformer: what is trained.
            backward: tokenises a batch, leaves its gradient in the parameters, and returns the number of tokens.
            update: clips the gradient, takes the optimiser's step, and forgets the gradient.
        """
        backward(self.batches[0])
        gradient = {name: value.grad for name, value in transformer.named_parameters() if value.grad is not None}
        save_file(gradient, self.output)
        del gradient
        update()
        tokens, start = 0, time.perf_counter()
        for step in range(1, self.steps + 1):
            tokens += backward(self.batches[step % len(self.batches)])
            update()
        print(json.dumps({"tokens": tokens, "work_seconds": time.perf_counter() - start}))


def adamw(parameters: Iterable[torch.nn.Parameter]) -> torch.optim.AdamW:
    """The optimiser, in the form that both our trainer and that of transformers have by default."""
    return torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0, fused=True)


def without_dropout(model: torch.nn.Module) -> None:
    """Switch dropout off, so that gradients can be compared."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
