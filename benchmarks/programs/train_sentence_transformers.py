"""Training steps by sentence-transformers' CachedMultipleNegativesRankingLoss in a plain loop.

The loss has the positives and hard negatives of all queries of the batch in each softmax, as ours. Timed is, for each
step after the first: tokenising (a column of texts at a time, as its data collator does), the gradient, clipping and
the optimiser's step. The vectors have length 1, so that the scores are dot products.

    python benchmarks/programs/train_sentence_transformers.py --model FOLDER --batches FILE.json --steps 8 \
        --grad-cache-chunk 16 --output FILE.safetensors
"""

from __future__ import annotations

import torch
from encode_sentence_transformers import load
from peft import LoraConfig
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
from sentence_transformers.util import dot_score
from training_task import (
    LORA_ALPHA,
    LORA_SEED,
    MAX_GRAD_NORM,
    PASSAGE_LENGTH,
    TEMPERATURE,
    Batch,
    Task,
    adamw,
    without_dropout,
)


def main() -> None:
    """Train."""
    task = Task.from_command_line(__doc__.splitlines()[0])
    model = load(task.model, task.pooling).train()
    model.max_seq_length = PASSAGE_LENGTH
    if task.rank:
        torch.manual_seed(LORA_SEED)
        model.add_adapter(
            LoraConfig(task_type="FEATURE_EXTRACTION", r=task.rank, lora_alpha=LORA_ALPHA, target_modules="all-linear")
        )
    without_dropout(model)
    loss = CachedMultipleNegativesRankingLoss(
        model, scale=1 / TEMPERATURE, similarity_fct=dot_score, mini_batch_size=task.grad_cache_chunk
    )
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = adamw(parameters)

    def take(batch: Batch) -> int:
        columns = [batch.queries, *map(list, zip(*batch.passages, strict=True))]
        features = [model.preprocess(column) for column in columns]
        loss(features, None).backward()
        return sum(int(each["attention_mask"].sum()) for each in features)

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()

    task.run(model[0].model, take, update)


if __name__ == "__main__":
    main()
