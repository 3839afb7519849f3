"""Training steps by sentence-transformers' ListNetLoss in a plain loop.

The loss tokenises and passes as many pairs at a time as there are queries, its default, and keeps the graph of all.
Timed is as in train_sentence_transformers.py.

    python benchmarks/programs/train_reranker_sentence_transformers.py --model FOLDER --batches FILE.json --steps 2 \
        --grad-cache-chunk 0 --output FILE.safetensors
"""

from __future__ import annotations

import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder.losses import ListNetLoss
from training_task import MAX_GRAD_NORM, Batch, Task, adamw, without_dropout


def main() -> None:
    """Train."""
    task = Task.from_command_line(__doc__.splitlines()[0])
    model = CrossEncoder(str(task.model), device="cpu", trust_remote_code=False).train()
    without_dropout(model)
    loss = ListNetLoss(model)
    parameters = list(model.parameters())
    optimizer = adamw(parameters)
    tokens = 0

    def count(module: torch.nn.Module, arguments: tuple, keywords: dict) -> None:
        nonlocal tokens
        tokens += int(keywords["attention_mask"].sum())

    model[0].model.register_forward_pre_hook(count, with_kwargs=True)

    def take(batch: Batch) -> int:
        before = tokens
        labels = [torch.tensor([1.0] + [0.0] * (len(own) - 1)) for own in batch.passages]
        loss([batch.queries, batch.passages], labels).backward()
        return tokens - before

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()

    task.run(model[0].model, take, update)


if __name__ == "__main__":
    main()
