"""Candidate pools and the LLMs that judge them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Name, Settings


class PoolSource(Settings):
    """Positives and hard negatives: published ones, or passages retrieved by this workflow."""

    format: Literal["tevatron", "tevatron-ids", "retrieved", "merged"] = Field(
        "tevatron",
        description="tevatron: training rows with the passages in them (version 1); tevatron-ids: rows with document "
        "ids only (version 2), their texts taken from the corpus; retrieved: the qrels' passages and what `retrievers` "
        "rank highest besides; merged: what `retrievers` rank highest and nothing else, with or without qrels.",
    )
    path: str | None = Field(None, description="tevatron, tevatron-ids: JSONL file, plain or gzip.")
    testset: Name | None = Field(
        None, description="retrieved, merged: the test set (of the pool's dataset and split) that is searched."
    )
    retrievers: tuple[str, ...] = Field(
        ("bm25/bm25",),
        min_length=1,
        description="retrieved, merged: `backbone/training` of each retriever; their rankings are interleaved, best "
        "ranks first.",
    )
    depth: int | None = Field(
        None, ge=1, description="retrieved, merged: how far down each ranking is read; by default all of it."
    )

    duplicates: Literal["keep", "drop"] = Field(
        "keep",
        description="retrieved, merged: drop takes one of the passages that are copies of each other (same words, "
        "whatever their case, punctuation and white space), a relevant one if there is one, and names copies and "
        "near-duplicates in results/mined/POOL.duplicates.parquet.",
    )

    @property
    def searched(self) -> bool:
        """Whether this workflow's own retrievers supply the passages."""
        return self.format in ("retrieved", "merged")

    @model_validator(mode="after")
    def _path_or_testset(self) -> PoolSource:
        if self.searched and (self.testset is None or self.path is not None):
            raise ValueError(f"a source of format {self.format} needs `testset` and no `path`")
        if not self.searched and (self.path is None or self.testset is not None):
            raise ValueError(f"a source of format {self.format} needs `path` and no `testset`")
        if not self.searched and self.duplicates == "drop":
            raise ValueError(f"the rows of format {self.format} are taken as published, so leave `duplicates` out")
        return self


class Pool(Settings):
    """The passages judged for each query, shuffled."""

    dataset: Name = Field(description="The dataset to which the pool's queries and docids belong.")
    split: Name = Field("train", description="The split of that dataset whose queries the pool holds.")
    source: PoolSource = Field(description="Where the passages come from.")
    titles: bool = Field(True, description="As in `datasets`; say the same where both feed one retriever.")
    size: int = Field(
        31, ge=2, description="Candidates a query (n + 1): its human positives, filled up with negatives; a limit."
    )
    seed: int = Field(42, description="Seed of the shuffle; the order of a query depends on this and its id alone.")
    shards: int = Field(1, ge=1, le=1024, description="Number of annotation jobs; a query's shard is a hash of its id.")


class Sampling(Settings):
    """How the LLM decodes."""

    temperature: float = Field(0.0, ge=0, description="0 is greedy.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus sampling.")
    top_k: int = Field(0, ge=0, description="Top-k sampling; 0 is off.")
    max_new_tokens: int = Field(512, ge=1, description="Limit of a reply, the thinking included.")
    seed: int = Field(0, description="Seed of the sampler.")


class Pointwise(Settings):
    """Selection from scores, for a model too small for listwise prompts."""

    relevant_percent: float = Field(
        50, gt=0, le=100, description="relsel keeps this share of the pool, best question likelihood first."
    )
    minimum_gain: float = Field(
        0.0, description="utilsel keeps a passage whose gain in mean answer log-likelihood (nats) exceeds this."
    )


class Retries(Settings):
    """What is done about a reply that does not have the form that was asked for."""

    max_retries: int = Field(
        2, ge=0, le=20, description="How often such a reply is asked for again; 0 takes it as it is."
    )
    temperature_step: float = Field(
        0.3,
        ge=0,
        description="Each further attempt decodes at a temperature higher by this, up to 2, with the next seed.",
    )

    @model_validator(mode="after")
    def _something_changes(self) -> Retries:
        if self.max_retries and not self.temperature_step:
            raise ValueError("retries at the same temperature would repeat the reply; give a `temperature_step`")
        return self


class Annotator(Settings):
    """An LLM that judges, or answers from retrieved passages."""

    model: Name | None = Field(
        None, description="A name from `models`; engine openai does without where no likelihoods are asked for."
    )
    engine: Literal["transformers", "vllm", "openai"] = Field(
        "transformers",
        description="What runs the model: transformers, vllm, or openai, a server that speaks OpenAI's protocol.",
    )
    served_model_name: str | None = Field(None, description="openai: the model's name on the server.")
    protocol: Literal["listwise", "pointwise"] = Field(
        "listwise", description="listwise: the paper's prompts; pointwise: likelihoods, for models too small for those."
    )
    sampling: Sampling = Field(Sampling(), description="Decoding of selections and rankings.")
    answer_sampling: Sampling = Field(
        Sampling(max_new_tokens=128), description="Decoding of answers: the pseudo-answer, and in question answering."
    )
    structured_outputs: bool = Field(
        False, description="Guided decoding: the engine admits only replies of the form that is asked for. Slower."
    )
    retries: Retries = Field(Retries(), description="Replies that cannot be read.")
    permutations: int = Field(
        1,
        ge=1,
        le=99,
        description="listwise: how often each question is judged, each time with the passages in another order; "
        "selections are merged by majority, rankings by mean rank.",
    )
    pointwise: Pointwise = Field(Pointwise(), description="Thresholds of the pointwise protocol.")
    passage_words: int = Field(
        300,
        ge=1,
        description="A passage is cut to this many words, which white space parts. In scripts without it (Chinese, "
        "Japanese, Thai, …) each character counts as a word, and so do every 50 characters of a longer word.",
    )
    max_model_len: int | None = Field(
        None,
        ge=64,
        description="Longest prompt and reply together, by default what the model can read. Where a prompt does not "
        "fit, its longest passages are cut to a common number of words.",
    )
    thinking: bool = Field(False, description="Whether the model thinks first; what it thinks is not parsed.")
    precision: Literal["fp32", "bf16", "fp16"] = Field("bf16", description="Number format of the weights.")

    @model_validator(mode="after")
    def _engine_has_what_it_needs(self) -> Annotator:
        if (self.engine == "openai") != (self.served_model_name is not None):
            raise ValueError("engine openai needs `served_model_name`, the others must have none")
        if self.model is None and self.engine != "openai":
            raise ValueError(f"engine {self.engine} needs `model`, a name from `models`")
        if self.model is None and self.protocol == "pointwise":
            raise ValueError("the pointwise protocol asks for likelihoods, for which `model` must name the tokenizer")
        if self.model is None and self.precision != type(self).model_fields["precision"].default:
            raise ValueError("the server has loaded its model already; without `model`, leave `precision` out")
        if self.structured_outputs and (self.engine == "transformers" or self.thinking):
            raise ValueError("`structured_outputs` needs the engine vllm or openai, and no thinking")
        if self.structured_outputs and self.protocol == "pointwise":
            raise ValueError("`structured_outputs` is for the listwise protocol: a likelihood has no form")
        if self.permutations > 1 and self.protocol == "pointwise":
            raise ValueError("`permutations` are for the listwise protocol: judged one by one, passages have no order")
        return self
