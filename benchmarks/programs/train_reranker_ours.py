"""Training steps by the workflow's own cross-encoder, loss and optimiser.

Timed is as in train_ours.py.

    python benchmarks/programs/train_reranker_ours.py --model FOLDER --batches FILE.json --steps 2 \
        --grad-cache-chunk 0 --output FILE.safetensors
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor
from training_task import MAX_GRAD_NORM, PAIR_LENGTH, Batch, Task, adamw, without_dropout

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.settings import Reranker
from utility_annotation.training.cross_encoder import CrossEncoder
from utility_annotation.training.gradients import Pass, backward
from utility_annotation.training.losses import list_net
from utility_annotation.training.processes import World


def main() -> None:
    """Train."""
    task = Task.from_command_line(__doc__.splitlines()[0])
    model = CrossEncoder.load(task.model, Reranker(model="measured", length=PAIR_LENGTH)).train()
    without_dropout(model)
    parameters = list(model.parameters())
    optimizer = adamw(parameters)
    how = Pass(task.grad_cache_chunk, "fp32", seed=0)
    world = World(0, 1, torch.device("cpu"))

    def take(batch: Batch) -> int:
        pairs = [(query, passage) for query, own in zip(batch.queries, batch.passages, strict=True) for passage in own]
        token_ids = model.token_ids(*map(list, zip(*pairs, strict=True)))
        positives = torch.zeros(len(batch.queries), len(batch.passages[0]), dtype=torch.bool)
        positives[:, 0] = True

        def loss_of(scores: Tensor) -> Tensor:
            return list_net(scores.view(positives.shape), positives, ~positives)

        backward(model, token_ids, len(token_ids), loss_of, how, world, step=0)
        return sum(map(len, token_ids))

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()

    task.run(model.model, take, update)


if __name__ == "__main__":
    main()
