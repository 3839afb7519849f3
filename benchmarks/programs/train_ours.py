"""Training steps by the workflow's own encoder, gradient caching, loss and optimiser.

Timed is, for each step after the first: tokenising, the gradient, clipping and the optimiser's step. In a training a
thread of its own tokenises the batch to come; here each step waits for its tokens, as the peer does.

    python benchmarks/programs/train_ours.py --model FOLDER --batches FILE.json --steps 8 --grad-cache-chunk 16 \
        --output FILE.safetensors
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor
from training_task import (
    LORA_ALPHA,
    LORA_SEED,
    MAX_GRAD_NORM,
    PASSAGE_LENGTH,
    QUERY_LENGTH,
    TEMPERATURE,
    Batch,
    Task,
    adamw,
    without_dropout,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.settings import Backbone, Lora
from utility_annotation.training import lora
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.gradients import Pass, backward
from utility_annotation.training.losses import single_lh
from utility_annotation.training.processes import World


def main() -> None:
    """Train."""
    task = Task.from_command_line(__doc__.splitlines()[0])
    backbone = Backbone(
        model="measured",
        pooling=task.pooling,
        normalize=True,
        query_length=QUERY_LENGTH,
        passage_length=PASSAGE_LENGTH,
    )
    encoder = Encoder.load(task.model, backbone).train()
    if task.rank:
        lora.add(encoder, Lora(r=task.rank, alpha=LORA_ALPHA), LORA_SEED)
    without_dropout(encoder)
    parameters = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    optimizer = adamw(parameters)
    how = Pass(task.grad_cache_chunk, "fp32", seed=0)
    world = World(0, 1, torch.device("cpu"))

    def take(batch: Batch) -> int:
        passages = [passage for of_query in batch.passages for passage in of_query]
        token_ids = encoder.token_ids(batch.queries, "query") + encoder.token_ids(passages, "passage")
        queries = len(batch.queries)
        positives = torch.eye(queries, dtype=torch.bool).repeat_interleave(len(batch.passages[0]), dim=1)
        positives[:, torch.arange(len(passages)) % len(batch.passages[0]) > 0] = False

        def loss_of(vectors: Tensor) -> Tensor:
            return single_lh(vectors[:queries] @ vectors[queries:].T / TEMPERATURE, positives, ~positives)

        backward(encoder, token_ids, len(token_ids), loss_of, how, world, step=0)
        return sum(map(len, token_ids))

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()

    task.run(encoder.model, take, update)


if __name__ == "__main__":
    main()
