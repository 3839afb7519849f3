"""Training steps by sentence-transformers' ListNetLoss in a plain loop.

The loss tokenises and passes as many pairs at a time as there are queries, its default, and keeps the graph of all.
Timed is as in train_sentence_transformers.py.

    python benchmarks/programs/train_reranker_sentence_transformers.py --model FOLDER --batches FILE.json --steps 2 \
        --grad-cache-chunk 0 --output FILE.safetensors
"""

from __future__ import annotations

from typing import Any

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
    preprocess, tokens = model.preprocess, list[int]()

    def counted(*pairs: Any, **options: Any) -> dict[str, torch.Tensor]:
        features = preprocess(*pairs, **options)
        tokens.append(int(features["attention_mask"].sum()))
        return features

    model.preprocess = counted

    def take(batch: Batch) -> int:
        tokens.clear()
        labels = [torch.tensor([1.0] + [0.0] * (len(own) - 1)) for own in batch.passages]
        loss([batch.queries, batch.passages], labels).backward()
        return sum(tokens)

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()

    task.run(model[0].model, take, update)


if __name__ == "__main__":
    main()
