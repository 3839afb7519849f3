"""Encoders and their trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from .base import Name, Settings
from .metrics import MetricName


class Backbone(Settings):
    """An encoder before fine-tuning, and how it turns text into a vector. Queries and passages share it."""

    model: Name = Field(description="A name from `models`.")
    pooling: str = Field("cls", description="How the vectors of the tokens become the vector of the text.")
    append_eos: bool = Field(
        False,
        description="Whether every text ends with the tokenizer's end-of-sequence token, which no length cuts off. A "
        "tokenizer that ends texts with a special token of its own adds no second one.",
    )
    attention: Literal["own", "bidirectional"] = Field(
        "own",
        description="Which tokens a token sees. own: those that the model's own config.json says; bidirectional: those "
        "after it too, in a decoder.",
    )
    dimension: int | None = Field(
        None,
        ge=1,
        description="Components of a vector: its first ones, of a model that is trained for that (Matryoshka), or to "
        "train it for that. With `normalize` they are scaled to length 1 after that. Without the key all of them.",
    )
    normalize: bool = Field(False, description="Whether vectors are scaled to length 1.")
    query_prefix: str = Field(
        "", description="Text before every query, such as an instruction; line breaks and spaces count."
    )
    passage_prefix: str = Field("", description="Text before every passage; line breaks and spaces count.")
    model_settings: Literal["error", "ignore"] = Field(
        "error",
        description="What to do where the model's own sentence-transformers files state another pooling, normalisation "
        "or prompt, or another layer. ignore uses the settings of the backbone all the same.",
    )
    query_length: int = Field(32, ge=4, description="Maximum number of query tokens, special tokens included.")
    passage_length: int = Field(156, ge=4, description="Maximum number of passage tokens, special tokens included.")


class Lora(Settings):
    """LoRA: small trained matrices beside the weights of linear layers, which stay as they are."""

    r: int = Field(16, ge=1, description="Rank of the matrices.")
    alpha: int = Field(32, ge=1, description="What the matrices add is multiplied by alpha / r.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout of their input.")
    targets: Literal["all-linear"] | tuple[str, ...] = Field(
        "all-linear",
        description="The layers that get them: all-linear, or a list of names, or ends of names, such as `q_proj`.",
    )

    @field_validator("targets", mode="before")
    @classmethod
    def _list(cls, given: Any) -> Any:
        if given == [] or (isinstance(given, str) and given != "all-linear"):
            raise ValueError(f"give a list of names, such as [{given or 'q_proj'}], or all-linear")
        return given


class Dev(Settings):
    """Evaluations of a training while it runs."""

    labels: Name = Field(
        description="A name from `labels`: of questions that are not trained on. The candidates of each question that "
        "has a positive are ranked."
    )
    every: int = Field(
        ge=1,
        description="Optimiser steps from one evaluation to the next. There is one before the first step and one "
        "after the last, too.",
    )
    metric: MetricName = Field("ndcg@10", description="A metric of `testsets`; the positives have grade 1.")
    keep: Literal["last", "best"] = Field(
        "last",
        description="The weights that become the model: those of the last step, or those of the best evaluation (the "
        "earliest of several).",
    )
    patience: int = Field(
        0,
        ge=0,
        description="With keep: best, the training ends after so many evaluations in a row that are no better than the "
        "best one; 0 goes on to the last step.",
    )

    @model_validator(mode="after")
    def _patience_keeps_the_best(self) -> Dev:
        if self.patience and self.keep != "best":
            raise ValueError("`patience` needs `keep: best`: the last weights would be worse ones than those before")
        return self


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
        "inclusion (always drawn, even one that the labels ignore).",
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
    lora: Lora | None = Field(
        None,
        description="Train LoRA's matrices alone: a section such as `{r: 16, alpha: 32}`, or `{}` for the defaults. "
        "Without it all weights are trained.",
    )
    dev: Dev | None = Field(
        None, description="Evaluate while the training runs: a section such as `{labels: dev, every: 100}`."
    )
    seed: int = Field(42, description="Seed of sampling, order, dropout and LoRA's first matrices.")
    seeds: tuple[int, ...] = Field(
        (),
        description="Seeds of several trainings that are alike in all else, `seed` among them. The training of another "
        "seed N is named NAME-seedN. Tables and charts show mean and standard deviation under NAME. A first stage with "
        "`seeds` goes with the training of the same seed.",
    )

    @field_validator("seeds")
    @classmethod
    def _once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
            raise ValueError(f"seed {twice[0]} is there twice")
        return seeds

    @model_validator(mode="after")
    def _own_seed(self) -> Training:
        if self.seeds and self.seed not in self.seeds:
            raise ValueError(f"`seeds` lacks {self.seed}, the value of `seed`; add it, or set `seed` to one of `seeds`")
        return self

    @property
    def label_sets(self) -> tuple[str, ...]:
        """The label sets that decide the model: those that are trained on, and those by which weights are chosen."""
        return (self.labels, *([self.dev.labels] if self.dev and self.dev.keep == "best" else []))

    def names(self, name: str) -> dict[int, str]:
        """By seed, the trainings that stand under the name of this one; it itself is the one of ``seed``."""
        return {seed: name if seed == self.seed else f"{name}-seed{seed}" for seed in self.seeds or (self.seed,)}


def of_each_seed(trainings: Mapping[str, Training]) -> dict[str, Training]:
    """These trainings, and a training of its own for each further seed.

    What is there already is not made twice, so that a configuration can be read again.

    Raises:
        ValueError: a first stage lacks a seed or begins with another one, or a training has a name that belongs to a
            seed of another one.
    """
    found = dict(trainings)
    for name, training in trainings.items():
        before = trainings.get(training.init_from or "")
        if before is not None and len(training.seeds) > 1 and before.seeds and before.seed != training.seed:
            raise ValueError(
                f"trainings.{name}.seed is {training.seed}, but its first stage trainings.{training.init_from} begins "
                f"with seed {before.seed}; give both the same `seed`"
            )
        for seed, own_name in training.names(name).items():
            first = training.init_from
            stage = trainings.get(first) if first and training.seeds else None
            if first and stage is not None and stage.seeds:
                if seed not in stage.seeds:
                    raise ValueError(
                        f"trainings.{name}.seeds: its first stage trainings.{first} has no seed {seed}; add it there"
                    )
                first = stage.names(first)[seed]
            change = {"seed": seed, "init_from": first}
            own = training.model_copy(update=change if own_name == name else change | {"seeds": ()})
            if own_name != name and found.setdefault(own_name, own) != own:
                raise ValueError(f"trainings.{own_name}: this name belongs to seed {seed} of trainings.{name}")
            found[own_name] = own
    return found
