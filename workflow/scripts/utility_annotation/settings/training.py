"""Encoders and their trainings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Name, Settings


class Backbone(Settings):
    """An encoder before fine-tuning, and how it turns text into a vector (the same for query and passage tower)."""

    model: Name = Field(description="A name from `models`.")
    pooling: str = Field("cls", description="What of the tokens' vectors is the text's vector.")
    normalize: bool = Field(False, description="Whether vectors are scaled to length 1.")
    query_prefix: str = Field("", description="Put before every query.")
    passage_prefix: str = Field("", description="Put before every passage.")
    query_length: int = Field(32, ge=4, description="Query tokens, special tokens included.")
    passage_length: int = Field(156, ge=4, description="Passage tokens, special tokens included.")


PositiveSampling = Literal["pos-one", "pos-avg", "pos-all"]
HumanPositive = Literal["random", "exclusion", "inclusion"]


class Training(Settings):
    """One training: labels, loss, and everything else that decides the model."""

    labels: Name = Field(description="A name from `labels`.")
    init_from: Name | None = Field(None, description="Curriculum: the training whose model this one starts from.")
    loss: str = Field("summarglh", description="The loss over a query's positives.")
    positives: PositiveSampling = Field("pos-all", description="How many positives of a query are drawn each epoch.")
    human_positive: HumanPositive = Field(
        "random",
        description="Candidates that are human positives: random (no special treatment), exclusion (never used), "
        "inclusion (always drawn).",
    )
    train_group_size: int = Field(16, ge=2, description="Passages drawn for a query each epoch (m + 1).")
    global_batch_size: int = Field(128, ge=1, description="Queries an optimiser step, over all devices together.")
    epochs: int = Field(2, ge=1, description="Passes over the labelled queries.")
    learning_rate: float = Field(3e-5, gt=0, description="Peak learning rate of AdamW.")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="Share of the steps with rising learning rate.")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay.")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradient norm is clipped to this; 0 is off.")
    temperature: float = Field(1.0, gt=0, description="Scores are divided by this before the softmax.")
    answer_temperature: float = Field(
        1.0, gt=0, description="Soft labels (answer log-likelihoods) are divided by this before their softmax."
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "bf16", description="Number format of the encoder's forward pass."
    )
    seed: int = Field(42, description="Seed of sampling, order and dropout.")
