"""Candidate pools and the LLMs that judge them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from .base import Name, OutsidePath, Settings
from .data import Source
from .hub import DataPath


class PoolSource(Settings):
    """Positives and hard negatives: published ones, or passages that this workflow retrieves."""

    format: Literal["tevatron", "tevatron-ids", "dpr", "retrieved", "merged", "pool", "passages"] = Field(
        "tevatron",
        description="tevatron: training rows that hold their passages (version 1); tevatron-ids: rows with document "
        "ids only (version 2), the texts come from the corpus; dpr: DPR's training JSON, hard negatives first; "
        "retrieved: the passages of the qrels, filled up with the top passages of `retrievers`; merged: the top "
        "passages of `retrievers` alone, with or without qrels; pool: questions of another pool, with its candidates; "
        "passages: passages of the corpus, each alone and without a question, for which an LLM writes questions.",
    )
    path: DataPath | None = Field(
        None,
        description="tevatron, tevatron-ids, dpr: the file, compressed or not, or its address on the hub, as in "
        "`datasets`. Tevatron's rows may be parquet: a file, a folder or a pattern.",
    )
    testset: Name | None = Field(
        None,
        description="retrieved, merged: the test set to search, with its depth and its lengths. It belongs to the "
        "pool's dataset and split.",
    )
    retrievers: tuple[str, ...] = Field(
        ("bm25/bm25",),
        min_length=1,
        description="retrieved, merged: the retrievers, each as `backbone/training`. Their rankings are interleaved, "
        "best ranks first.",
    )
    depth: int | None = Field(
        None, ge=1, description="retrieved, merged: how many ranks of each ranking are read; all by default."
    )

    duplicates: Literal["keep", "drop"] = Field(
        "keep",
        description="retrieved, merged: `drop` keeps one of the passages that are copies of each other, a relevant "
        "one if there is one. Copies have the same words; case, punctuation and white space do not count. "
        "results/mined/POOL.duplicates.parquet lists copies and near-duplicates.",
    )

    pool: Name | None = Field(None, description="pool: the other pool, of the same dataset and split.")
    percent: tuple[float, float] = Field(
        (0, 100),
        description="pool: from which to which percentage of its questions, in a random order. `[0, 10]` is a part of "
        "`[0, 20]`, and `[10, 20]` has none of it.",
    )
    seed: int = Field(13, description="pool, passages: seed of that order.")
    sample: int | None = Field(
        None,
        ge=1,
        description="passages: most passages, in a random order in which the first passages of all documents come "
        "before their second ones. A larger sample contains a smaller one.",
    )
    examples: Source | None = Field(
        None, description="passages: questions of your own, of which the LLM is shown some beside each passage."
    )
    unsure: Name | None = Field(
        None,
        description="pool: a label set of source selector on the other pool: only the questions are taken of which it "
        "is unsure.",
    )
    between: tuple[float, float] = Field(
        (0.2, 0.8),
        description="unsure: it is unsure of a question with a candidate whose probability lies between these, ends "
        "included.",
    )

    @property
    def carries_passages(self) -> bool:
        """Whether its rows hold the texts of their passages."""
        return self.format in ("tevatron", "dpr")

    @property
    def searched(self) -> bool:
        """Whether this workflow's own retrievers supply the passages."""
        return self.format in ("retrieved", "merged")

    def share(self, number: int) -> slice:
        """pool: the places of its part among so many questions in their random order."""
        low, high = self.percent
        return slice(round(low * number / 100), round(high * number / 100))

    @field_validator("percent", "between")
    @classmethod
    def _rising(cls, ends: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        low, high = ends
        most = 100 if info.field_name == "percent" else 1
        if not 0 <= low < high <= most:
            raise ValueError(f"give two numbers from 0 to {most}, the lower one first")
        return ends

    @model_validator(mode="after")
    def _path_or_testset(self) -> PoolSource:
        if (self.format == "passages") != (self.sample is not None):
            raise ValueError("a source of format passages needs `sample`, and others have none")
        if self.examples is not None and self.sample is None:
            raise ValueError("only a source of format passages has `examples`")
        if self.sample is not None:
            if self.path is not None or self.testset is not None or self.duplicates == "drop":
                raise ValueError("a source of format passages has no `path`, `testset` and `duplicates`")
            return self
        if (self.format == "pool") != (self.pool is not None):
            raise ValueError("a source of format pool needs `pool`, and others have none")
        if self.pool is not None:
            if self.path is not None or self.testset is not None or self.duplicates == "drop":
                raise ValueError("a source of format pool has no `path`, `testset` and `duplicates`")
            return self
        if self.searched and (self.testset is None or self.path is not None):
            raise ValueError(f"a source of format {self.format} needs `testset` and no `path`")
        if not self.searched and (self.path is None or self.testset is not None):
            raise ValueError(f"a source of format {self.format} needs `path` and no `testset`")
        if not self.searched and self.duplicates == "drop":
            raise ValueError(f"the rows of format {self.format} are taken as published, so leave `duplicates` out")
        return self


class Pool(Settings):
    """The passages judged for each query, shuffled."""

    dataset: Name = Field(description="The dataset of the pool's queries and passages.")
    split: Name = Field("train", description="The split of that dataset whose queries are in the pool.")
    source: PoolSource = Field(description="Where the passages come from.")
    titles: bool = Field(
        True,
        description="Whether retrievers read the titles of these passages in training, and exports hold them. Use the "
        "same value as in `datasets` when both feed one retriever. An annotator has its own `titles`.",
    )
    size: int = Field(
        31,
        ge=2,
        description="Maximum number of candidates per query (n + 1): the human positives, filled up with negatives.",
    )
    relevance_level: int = Field(
        1,
        ge=1,
        description="retrieved, merged: the lowest grade that makes a passage a human positive. In TREC DL a passage "
        "of grade 1 is related but not relevant, so use 2.",
    )
    seed: int = Field(
        42,
        description="Seed of the shuffle. The order of a query's candidates depends only on this seed and the query's "
        "id.",
    )
    shards: int = Field(
        1,
        ge=1,
        le=1024,
        description="Number of annotation shards. Each stage has one job per shard. A hash of a query's id decides "
        "its shard.",
    )

    @model_validator(mode="after")
    def _rows_have_grades(self) -> Pool:
        if self.relevance_level > 1 and not self.source.searched:
            raise ValueError(f"rows of format {self.source.format} have no grades, so `relevance_level` must be 1")
        return self


class Sampling(Settings):
    """How the LLM decodes."""

    temperature: float = Field(0.0, ge=0, description="Sampling temperature; 0 is greedy.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus sampling; 1 is off.")
    top_k: int = Field(0, ge=0, description="Top-k sampling; 0 is off.")
    max_new_tokens: int = Field(512, ge=1, description="Maximum number of tokens in a reply, thinking included.")
    seed: int = Field(0, description="Seed of the sampler.")


class Pointwise(Settings):
    """Selection by scores, for models that are too small for listwise prompts."""

    relevant_percent: float = Field(
        50, gt=0, le=100, description="relsel keeps this percentage of the pool, best question likelihood first."
    )
    answer_passages: int = Field(
        1, ge=1, description="The pseudo-answer is written from so many passages, best question likelihood first."
    )
    gain_weight: float = Field(
        2.0,
        ge=0,
        description="A passage's utility is the mean log-likelihood of the question (nats per token), plus this times "
        "what the passage adds to that of the pseudo-answer.",
    )
    margin: float = Field(
        0.8, ge=0, description="utilsel keeps the passages whose utility is at most so far below the best (nats)."
    )


class Retries(Settings):
    """What happens when a reply does not have the requested form."""

    max_retries: int = Field(
        2, ge=0, le=20, description="How many times the LLM is asked again; 0 accepts the first reply as it is."
    )
    temperature_step: float = Field(
        0.3,
        ge=0,
        description="Each retry raises the temperature by this, up to 2, and takes the next seed.",
    )

    @model_validator(mode="after")
    def _something_changes(self) -> Retries:
        if self.max_retries and not self.temperature_step:
            raise ValueError("retries at the same temperature would repeat the reply; give a `temperature_step`")
        return self


class Annotator(Settings):
    """An LLM that judges passages, or answers from retrieved passages."""

    model: Name | None = Field(None, description="A name from `models`. Engine openai needs it only for likelihoods.")
    engine: Literal["transformers", "vllm", "openai"] = Field(
        "transformers",
        description="What runs the model: transformers, vllm, or openai (a server with OpenAI's API).",
    )
    served_model_name: str | None = Field(None, description="openai: the model's name on the server.")
    protocol: Literal["listwise", "pointwise"] = Field(
        "listwise",
        description="listwise: the paper's prompts; pointwise: likelihoods, for models that are too small for "
        "listwise prompts.",
    )
    sampling: Sampling = Field(Sampling(), description="Decoding of selections and rankings.")
    answer_sampling: Sampling = Field(
        Sampling(max_new_tokens=128), description="Decoding of answers: pseudo-answers, and the answers of `qa`."
    )
    structured_outputs: bool = Field(
        False,
        description="Whether the engine allows only replies of the requested form (guided decoding). It is slower.",
    )
    retries: Retries = Field(Retries(), description="What to do with a reply that cannot be parsed.")
    permutations: int = Field(
        1,
        ge=1,
        le=99,
        description="listwise: how many times each question is judged, each time with the passages in another order. "
        "Selections are merged by majority, rankings by mean rank.",
    )
    questions_per_passage: int = Field(
        1,
        ge=1,
        le=20,
        description="Written questions: how many of each style the LLM writes about a passage, in one reply. The limit "
        "of `answer_sampling` counts for each of them.",
    )
    pointwise: Pointwise = Field(Pointwise(), description="Thresholds of the pointwise protocol.")
    passage_words: int = Field(
        300,
        ge=1,
        description="Maximum number of words per passage; the rest is cut. White space separates words. In scripts "
        "without white space (Chinese, Japanese, Thai, …) each character counts as a word. A word of more than 50 "
        "characters counts once for every 50 characters.",
    )
    titles: bool = Field(True, description="Whether the LLM reads the titles of passages.")
    prompts: OutsidePath | None = Field(
        None,
        description="A folder with prompt templates of your own. A file there replaces the one of the same name in "
        "resources/prompts/.",
    )
    max_model_len: int | None = Field(
        None,
        ge=64,
        description="Maximum number of tokens in prompt and reply together; by default the model's limit. If a prompt "
        "does not fit, its longest passages are cut to the same number of words.",
    )
    thinking: bool = Field(False, description="Whether the model thinks before it replies. Thoughts are not parsed.")
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
