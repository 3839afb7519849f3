"""Encoders and their trainings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Name, Settings


class Backbone(Settings):
    """An encoder before fine-tuning, and how it turns text into a vector. Queries and passages share it."""

    model: Name = Field(description="A name from `models`.")
    pooling: str = Field("cls", description="How the vectors of the tokens become the vector of the text.")
    normalize: bool = Field(False, description="Whether vectors are scaled to length 1.")
    query_prefix: str = Field("", description="Text before every query.")
    passage_prefix: str = Field("", description="Text before every passage.")
    model_settings: Literal["error", "ignore"] = Field(
        "error",
        description="What to do where the model's own sentence-transformers files state another pooling, normalisation "
        "or prompt, or another layer. ignore uses the settings of the backbone all the same.",
    )
    query_length: int = Field(32, ge=4, description="Maximum number of query tokens, special tokens included.")
    passage_length: int = Field(156, ge=4, description="Maximum number of passage tokens, special tokens included.")


PositiveSampling = Literal["pos-one", "pos-avg", "pos-all"]
HumanPositive = Literal["random", "exclusion", "inclusion"]


class Training(Settings):
    """A training: labels, loss, and everything else that determines the model."""

    labels: Name = Field(description="A name from `labels`.")
    init_from: Name | None = Field(None, description="Curriculum: the training whose model this one starts from.")
    loss: str = Field("summarglh", description="The loss over a query's positives.")
    positives: PositiveSampling = Field(
        "pos-all",
        description="How a query's positives are drawn each epoch. pos-one: one, and the other places go to any other "
        "candidates, positives included; pos-avg: the mean number of positives per query; pos-all: all.",
    )
    human_positive: HumanPositive = Field(
        "random",
        description="What happens to the human positives: random (nothing special), exclusion (never drawn), "
        "inclusion (always drawn).",
    )
    train_group_size: int = Field(16, ge=2, description="Passages drawn per query and epoch (m + 1).")
    global_batch_size: int = Field(128, ge=1, description="Queries per optimiser step, over all devices together.")
    epochs: int = Field(2, ge=1, description="Passes over the labelled queries.")
    learning_rate: float = Field(3e-5, gt=0, description="Peak learning rate of AdamW.")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.0, ge=0, description="Weight decay of AdamW.")
    max_grad_norm: float = Field(1.0, ge=0, description="Maximum gradient norm; 0 turns clipping off.")
    temperature: float = Field(1.0, gt=0, description="Divides the scores before the softmax.")
    answer_temperature: float = Field(
        1.0, gt=0, description="Divides the soft labels (log-likelihoods of the answer) before their softmax."
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "bf16", description="Number format of the encoder's forward pass."
    )
    seed: int = Field(42, description="Seed of sampling, order and dropout.")
