"""The whole configuration, typed: each key has a description, a default where one is sensible, and unknown keys are
refused with the nearest known one named.

What changes a result stands in the sections ``models`` to ``tables``; what only changes how fast it is made stands in
``performance`` and never makes anything stale.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import InputError

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
"""Names become folder names and wildcards: lower case, digits, dots, plus signs and hyphens."""

UNTRAINED = "untrained"
"""The run name under which a backbone is evaluated as it is, without training."""

BM25 = "bm25"
"""Backbone and run name of the BM25 baseline."""


class Settings(BaseModel):
    """Base of every section: unknown keys are errors, values cannot change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(Settings):
    """Where a model's weights come from: exactly one of ``package``, ``path`` and ``hub``."""

    package: str | None = Field(None, description="An installed Python package that carries the weights.")
    path: str | None = Field(None, description="A local Hugging Face model folder.")
    hub: str | None = Field(None, description="A Hugging Face hub name, fetched when the model is prepared.")
    revision: str | None = Field(None, description="Hub revision (commit, tag or branch).")
    max_length: int | None = Field(None, ge=8, description="Token limit to record where the tokenizer states none.")

    @model_validator(mode="after")
    def _one_source(self) -> Model:
        if sum(value is not None for value in (self.package, self.path, self.hub)) != 1:
            raise ValueError("give exactly one of package, path and hub")
        return self


class Source(Settings):
    """A file (or folder) of the outside world and how to read it."""

    format: Literal["msmarco", "beir", "trec", "jsonl"] = Field(
        description="msmarco: TSV without quoting; beir: JSONL or a BEIR folder or zip; trec: qrels in TREC's four "
        "columns; jsonl: one JSON object a line with the contract's column names."
    )
    path: str = Field(description="Path, absolute or relative to the working folder; .gz is read as it is.")


class Split(Settings):
    """The questions of one part of a dataset, with whatever is known of them."""

    queries: Source = Field(description="The questions.")
    qrels: Source | None = Field(None, description="Human relevance judgements.")
    answers: Source | None = Field(None, description="Short ground-truth answers (jsonl: query_id, answers).")
    judged_only: bool = Field(
        False, description="Keep only the questions that have a judgement (BEIR keeps those of all splits in one file)."
    )
    unknown_passages: Literal["error", "drop"] = Field(
        "error",
        description="What to do with a judgement of a passage that the corpus lacks; drop counts them in the log.",
    )

    @model_validator(mode="after")
    def _qrels_where_needed(self) -> Split:
        if self.judged_only and self.qrels is None:
            raise ValueError("judged_only needs qrels")
        return self


class Dataset(Settings):
    """A corpus and its splits."""

    corpus: Source = Field(description="The passages.")
    shards: int = Field(1, ge=1, le=1024, description="Number of jobs in which the corpus is encoded.")
    splits: dict[Name, Split] = Field(description="Parts of the questions, by name (train, dev, …).")


class PoolSource(Settings):
    """Positives and hard negatives: published ones, or human positives with negatives retrieved by this workflow."""

    format: Literal["tevatron", "tevatron-ids", "retrieved"] = Field(
        "tevatron",
        description="tevatron: training rows with the passages in them (version 1); tevatron-ids: rows with document "
        "ids only (version 2), their texts taken from the corpus; retrieved: the qrels' passages and what `retrievers` "
        "rank highest besides.",
    )
    path: str | None = Field(None, description="tevatron, tevatron-ids: JSONL file, plain or gzip.")
    testset: Name | None = Field(
        None, description="retrieved: the test set (of the pool's dataset and split) that is searched for negatives."
    )
    retrievers: tuple[str, ...] = Field(
        ("bm25/bm25",),
        min_length=1,
        description="retrieved: `backbone/run` of each retriever; their rankings are interleaved, best ranks first.",
    )

    @model_validator(mode="after")
    def _path_or_testset(self) -> PoolSource:
        if self.format == "retrieved" and (self.testset is None or self.path is not None):
            raise ValueError("a source of format retrieved needs `testset` and no `path`")
        if self.format != "retrieved" and (self.path is None or self.testset is not None):
            raise ValueError(f"a source of format {self.format} needs `path` and no `testset`")
        return self


class Pool(Settings):
    """The passages judged for each query: human positives and hard negatives, shuffled."""

    dataset: Name = Field(description="The dataset to which the pool's queries and docids belong.")
    split: Name = Field("train", description="The split of that dataset whose queries the pool holds.")
    source: PoolSource = Field(description="Where positives and negatives come from.")
    size: int = Field(
        31, ge=2, description="Candidates a query (n + 1): its human positives, filled up with negatives."
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

    attempts: int = Field(2, ge=0, le=20, description="How often such a reply is asked for again; 0 takes it as it is.")
    temperature_step: float = Field(
        0.3, ge=0, description="Each further attempt decodes at a temperature higher by this, with the next seed."
    )

    @model_validator(mode="after")
    def _something_changes(self) -> Retries:
        if self.attempts and not self.temperature_step:
            raise ValueError("retries at the same temperature would repeat the reply; give a `temperature_step`")
        return self


class Annotator(Settings):
    """An LLM that judges."""

    model: Name | None = Field(
        None, description="A name from `models`; engine openai does without where no likelihoods are asked for."
    )
    engine: Literal["transformers", "vllm", "openai"] = Field(
        "transformers",
        description="What runs the model: transformers, vllm, or openai, a server that speaks OpenAI's protocol.",
    )
    served_model: str | None = Field(None, description="openai: the model's name on the server.")
    protocol: Literal["listwise", "pointwise"] = Field(
        "listwise", description="listwise: the paper's prompts; pointwise: likelihoods, for models too small for those."
    )
    sampling: Sampling = Field(Sampling(), description="Decoding of selections and rankings.")
    answer_sampling: Sampling = Field(Sampling(max_new_tokens=128), description="Decoding of the pseudo-answer.")
    guided: bool = Field(
        False, description="Guided decoding: the engine admits only replies of the form that is asked for. Slower."
    )
    retries: Retries = Field(Retries(), description="Replies that cannot be read.")
    passes: int = Field(
        1,
        ge=1,
        le=99,
        description="listwise: how often each question is judged, each time with the passages in another order; "
        "selections are merged by majority, rankings by mean rank.",
    )
    pointwise: Pointwise = Field(Pointwise(), description="Thresholds of the pointwise protocol.")
    passage_words: int = Field(300, ge=1, description="A passage is cut to this many whitespace-separated words.")
    context_tokens: int | None = Field(
        None,
        ge=64,
        description="Longest prompt and reply together, by default what the model can read. Where a prompt does not "
        "fit, its longest passages are cut to a common number of words.",
    )
    thinking: bool = Field(False, description="Whether the model thinks first; what precedes </think> is not parsed.")
    precision: Literal["fp32", "bf16", "fp16"] = Field("bf16", description="Number format of the weights.")

    @model_validator(mode="after")
    def _engine_has_what_it_needs(self) -> Annotator:
        if (self.engine == "openai") != (self.served_model is not None):
            raise ValueError("engine openai needs `served_model`, the others must have none")
        if self.model is None and self.engine != "openai":
            raise ValueError(f"engine {self.engine} needs `model`, a name from `models`")
        if self.model is None and self.protocol == "pointwise":
            raise ValueError("the pointwise protocol asks for likelihoods, for which `model` must name the tokenizer")
        if self.guided and (self.engine == "transformers" or self.thinking):
            raise ValueError("`guided` needs the engine vllm or openai, and a model that does not think first")
        if self.passes > 1 and self.protocol == "pointwise":
            raise ValueError("`passes` are for the listwise protocol: judged one by one, passages have no order")
        return self


STRATEGIES = ("relsel", "utilsel", "utilrank", "replug")


class QuerySubset(Settings):
    """A seeded random part of the queries, nested: the 20 % are part of the 30 % of the same seed."""

    percent: float = Field(100.0, gt=0, le=100, description="Share of the queries.")
    seed: int = Field(13, description="Seed of the choice.")


class Labels(Settings):
    """Labels of every candidate of a pool, from one source."""

    pool: Name = Field(description="A name from `pools`.")
    source: Literal["human", "relsel", "utilsel", "utilrank", "replug"] = Field(
        description="human: the pool's human positives; the others: an annotation strategy."
    )
    annotator: Name | None = Field(None, description="A name from `annotators`; none for human labels.")
    top_percent: float = Field(
        10, gt=0, le=100, description="utilrank: this share of the ranked list is positive, at least one passage."
    )
    queries: QuerySubset = Field(QuerySubset(), description="Which queries are labelled.")

    @model_validator(mode="after")
    def _annotator_where_needed(self) -> Labels:
        if (self.source == "human") != (self.annotator is None):
            raise ValueError("labels of an LLM need `annotator`, human labels must have none")
        return self


class Backbone(Settings):
    """An encoder before fine-tuning, and how it turns text into a vector (the same for query and passage tower)."""

    model: Name = Field(description="A name from `models`.")
    pooling: Literal["cls", "mean"] = Field("cls", description="[CLS] vector or mean over tokens.")
    normalize: bool = Field(False, description="Whether vectors are scaled to length 1.")
    query_prefix: str = Field("", description="Put before every query.")
    passage_prefix: str = Field("", description="Put before every passage.")
    query_length: int = Field(32, ge=4, description="Query tokens, special tokens included.")
    passage_length: int = Field(156, ge=4, description="Passage tokens, special tokens included.")


LossName = Literal["singlelh", "first1lh", "rand1lh", "jointlh", "summarglh", "lsepair", "kl"]
PositiveSampling = Literal["pos-one", "pos-avg", "pos-all"]
HumanPositive = Literal["random", "exclusion", "inclusion"]


class Run(Settings):
    """One training: labels, loss, and everything else that decides the model."""

    labels: Name = Field(description="A name from `labels`.")
    first_stage: Name | None = Field(None, description="Curriculum: the run whose model this one starts from.")
    loss: LossName = Field("summarglh", description="The loss over a query's positives.")
    positives: PositiveSampling = Field("pos-all", description="How many positives of a query are drawn each epoch.")
    human_positive: HumanPositive = Field(
        "random",
        description="Candidates that are human positives: random (no special treatment), exclusion (never used), "
        "inclusion (always drawn).",
    )
    passages: int = Field(16, ge=2, description="Passages drawn for a query each epoch (m + 1).")
    batch_queries: int = Field(128, ge=1, description="Queries an optimiser step, over all devices together.")
    epochs: int = Field(2, ge=1, description="Passes over the labelled queries.")
    learning_rate: float = Field(3e-5, gt=0, description="Peak learning rate of AdamW.")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="Share of the steps with rising learning rate.")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay.")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradient norm is clipped to this; 0 is off.")
    temperature: float = Field(1.0, gt=0, description="Scores are divided by this before the softmax.")
    answer_temperature: float = Field(
        1.0, gt=0, description="kl: answer log-likelihoods are divided by this before their softmax."
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "bf16", description="Number format of the encoder's forward pass."
    )
    seed: int = Field(42, description="Seed of sampling, order and dropout.")


class Testset(Settings):
    """Questions on which retrievers are compared."""

    dataset: Name = Field(description="A name from `datasets`.")
    split: Name = Field(description="A split of it that has qrels.")
    metrics: tuple[str, ...] = Field(
        ("mrr@10", "recall@1000", "ndcg@10"),
        min_length=1,
        description="Metric names: mrr@k, recall@k, ndcg@k, map@k, …",
    )
    relevance_level: int = Field(
        1, ge=1, description="Smallest grade that counts as relevant (all metrics but nDCG, which uses every grade)."
    )
    depth: int = Field(1000, ge=1, description="Passages retrieved a query.")
    drop_query_document: bool = Field(
        False, description="Drop the document whose id is the query's own (ArguAna, Quora)."
    )


class Bm25(Settings):
    """The lexical baseline (Anserini)."""

    k1: float = Field(0.9, gt=0, description="Term-frequency saturation (Anserini's default; 0.82 tuned for MS MARCO).")
    b: float = Field(0.4, ge=0, le=1, description="Length normalisation (Anserini's default; 0.68 tuned for MS MARCO).")


class RetrievalTable(Settings):
    """A table of retrievers against test sets, with significance marks."""

    title: str = Field(description="Heading of the table.")
    backbones: tuple[Name, ...] = Field(description="Backbones, a block of rows each.")
    runs: tuple[Name, ...] = Field(description="Runs, a row each; `untrained` is the backbone as it is.")
    testsets: tuple[Name, ...] = Field(description="Test sets, a group of columns each.")
    with_bm25: bool = Field(True, description="Whether BM25 stands in the first row.")
    baseline: Name | None = Field("human", description="Run against which + and − are tested; none for no marks.")
    second_baseline: Name | None = Field("replug", description="Run against which † is tested; none for no mark.")
    significance_level: float = Field(0.05, gt=0, lt=1, description="p below which a difference is marked.")


class ServerPerformance(Settings):
    """How engine openai reaches its server."""

    url: str = Field("http://127.0.0.1:8000/v1", description="Where the server's protocol begins, /v1 included.")
    key_variable: str = Field(
        "OPENAI_API_KEY", description="Environment variable that holds the key; sent where it is set."
    )
    concurrency: int = Field(32, ge=1, description="Requests under way at a time.")
    timeout: float = Field(600, gt=0, description="Seconds until a request without an answer is given up.")
    attempts: int = Field(
        6, ge=1, description="Tries of a request that a busy or failing server refuses, with growing pauses between."
    )


class EnginePerformance(Settings):
    """How an annotation engine uses its machine."""

    batch_tokens: int = Field(4096, ge=1, description="transformers: padded tokens a batch.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="transformers: auto takes a GPU where there is one."
    )
    gpus: int = Field(
        0,
        ge=0,
        description="GPUs that a job asks the scheduler for; vllm splits the model over them (tensor parallel).",
    )
    memory_fraction: float = Field(0.9, gt=0, le=1, description="vllm: share of a GPU's memory for weights and cache.")
    python: str = Field(
        "python", description="vllm: the interpreter of its jobs, for a vLLM that lives in an environment of its own."
    )
    server: ServerPerformance = Field(ServerPerformance(), description="openai: the server.")


class TrainPerformance(Settings):
    """How training uses its machine."""

    cache_chunk: int = Field(
        0, ge=0, description="Gradient caching: passages encoded at a time; 0 encodes the whole batch at once."
    )
    checkpoint_steps: int = Field(500, ge=1, description="Steps between checkpoints.")
    log_steps: int = Field(10, ge=1, description="Steps between progress lines.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one.")
    gpus: int = Field(0, ge=0, description="GPUs that a job asks the scheduler for.")


class EncodePerformance(Settings):
    """How encoding and search use their machine."""

    batch_tokens: int = Field(16384, ge=1, description="Padded tokens a batch.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one.")
    search: Literal["auto", "torch", "faiss"] = Field(
        "auto",
        description="What scores the passages, exactly in each case: auto takes faiss on a GPU for which the "
        "installed faiss is built, else torch; faiss on a CPU is used only when asked for.",
    )
    gpus: int = Field(0, ge=0, description="GPUs that a job asks the scheduler for.")


class Performance(Settings):
    """What may be tuned without making any result stale."""

    annotate: EnginePerformance = Field(EnginePerformance(), description="Annotation engines.")
    train: TrainPerformance = Field(TrainPerformance(), description="Training.")
    encode: EncodePerformance = Field(EncodePerformance(), description="Encoding and search.")
    threads: int = Field(1, ge=1, description="CPU threads of an annotation, training or encoding job.")


class Configuration(Settings):
    """Everything the workflow is told."""

    models: dict[Name, Model] = Field(description="Weights, by name.")
    datasets: dict[Name, Dataset] = Field(description="Corpora with their questions.")
    pools: dict[Name, Pool] = Field({}, description="Candidate pools to annotate and to train on.")
    annotators: dict[Name, Annotator] = Field({}, description="LLMs that judge.")
    labels: dict[Name, Labels] = Field({}, description="Label sets.")
    backbones: dict[Name, Backbone] = Field({}, description="Encoders to train.")
    runs: dict[Name, Run] = Field({}, description="Trainings; each can be asked for with each backbone.")
    testsets: dict[Name, Testset] = Field({}, description="Evaluations.")
    bm25: Bm25 = Field(Bm25(), description="The lexical baseline.")
    tables: dict[Name, RetrievalTable] = Field({}, description="Tables of retrieval results.")
    performance: Performance = Field(Performance(), description="Speed only; never makes a result stale.")

    @model_validator(mode="after")
    def _references_exist(self) -> Configuration:
        problems = list(self._broken_references())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _broken_references(self) -> Iterator[str]:
        def unknown(place: str, name: str | None, section: Mapping[str, object], kind: str) -> Iterator[str]:
            if name is not None and name not in section:
                yield f"{place} names {name!r}, which is not in `{kind}`{_nearest(name, section)}"

        for name, pool in self.pools.items():
            yield from unknown(f"pools.{name}.dataset", pool.dataset, self.datasets, "datasets")
            if pool.dataset in self.datasets:
                splits = self.datasets[pool.dataset].splits
                yield from unknown(f"pools.{name}.split", pool.split, splits, f"datasets.{pool.dataset}.splits")
            yield from self._broken_source(name, pool, unknown)
        for name, judge in self.annotators.items():
            yield from unknown(f"annotators.{name}.model", judge.model, self.models, "models")
        for name, labels in self.labels.items():
            yield from unknown(f"labels.{name}.pool", labels.pool, self.pools, "pools")
            yield from unknown(f"labels.{name}.annotator", labels.annotator, self.annotators, "annotators")
            annotator = self.annotators.get(labels.annotator or "")
            if labels.source == "replug" and annotator is not None and annotator.model is None:
                yield f"labels.{name}: replug asks for likelihoods, so annotators.{labels.annotator} needs `model`"
            if labels.source == "replug" and labels.pool in self.pools:
                pool = self.pools[labels.pool]
                split = self.datasets[pool.dataset].splits.get(pool.split) if pool.dataset in self.datasets else None
                if split is not None and split.answers is None:
                    yield f"labels.{name}: replug needs datasets.{pool.dataset}.splits.{pool.split}.answers"
        for name, backbone in self.backbones.items():
            yield from unknown(f"backbones.{name}.model", backbone.model, self.models, "models")
            if name == BM25:
                yield f"backbones.{name}: the name {BM25} is the baseline's own"
        for name, run in self.runs.items():
            yield from self._broken_run(name, run, unknown)
        for name, testset in self.testsets.items():
            yield from unknown(f"testsets.{name}.dataset", testset.dataset, self.datasets, "datasets")
            if testset.dataset in self.datasets:
                splits = self.datasets[testset.dataset].splits
                yield from unknown(
                    f"testsets.{name}.split", testset.split, splits, f"datasets.{testset.dataset}.splits"
                )
                if testset.split in splits and splits[testset.split].qrels is None:
                    yield f"testsets.{name}: split {testset.split!r} of dataset {testset.dataset!r} has no qrels"
        known_runs = {UNTRAINED: None, **self.runs}
        for name, table in self.tables.items():
            for shown in table.backbones:
                yield from unknown(f"tables.{name}.backbones", shown, self.backbones, "backbones")
            for shown in (*table.runs, *filter(None, (table.baseline, table.second_baseline))):
                yield from unknown(f"tables.{name}.runs", shown, known_runs, "runs")
            for baseline in filter(None, (table.baseline, table.second_baseline)):
                if baseline not in table.runs:
                    yield f"tables.{name}: the baseline {baseline!r} must be one of its runs"
            for shown in table.testsets:
                yield from unknown(f"tables.{name}.testsets", shown, self.testsets, "testsets")

    def _broken_source(self, name: str, pool: Pool, unknown: Any) -> Iterator[str]:
        if pool.source.testset is None:
            return
        yield from unknown(f"pools.{name}.source.testset", pool.source.testset, self.testsets, "testsets")
        testset = self.testsets.get(pool.source.testset)
        if testset is not None and (testset.dataset, testset.split) != (pool.dataset, pool.split):
            yield f"pools.{name}: the test set {pool.source.testset!r} is not of its dataset and split"
        known = {f"{BM25}/{BM25}": None} | {
            f"{backbone}/{run}": None for backbone in self.backbones for run in (UNTRAINED, *self.runs)
        }
        for retriever in pool.source.retrievers:
            yield from unknown(f"pools.{name}.source.retrievers", retriever, known, "backbones/runs")

    def _broken_run(self, name: str, run: Run, unknown: Any) -> Iterator[str]:
        yield from unknown(f"runs.{name}.labels", run.labels, self.labels, "labels")
        yield from unknown(f"runs.{name}.first_stage", run.first_stage, self.runs, "runs")
        if name in (UNTRAINED, BM25):
            yield f"runs.{name}: this name is reserved"
        if run.labels in self.labels and (run.loss == "kl") != (self.labels[run.labels].source == "replug"):
            yield f"runs.{name}: loss kl goes with labels of source replug, and these with no other loss"
        seen, stage = {name}, run.first_stage
        while stage in self.runs:
            if stage in seen:
                yield f"runs.{name}: its first stages go in a circle"
                break
            seen.add(stage)
            stage = self.runs[stage].first_stage


def load(raw: Mapping[str, Any], *, path: str = "the configuration") -> Configuration:
    """Check a raw configuration (as read from YAML) and return it typed.

    Args:
        raw: the mapping.
        path: the file named in messages.

    Raises:
        InputError: an unknown key (with the nearest known one), a wrong value, or a name that refers to nothing.
    """
    try:
        return Configuration.model_validate(raw)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise InputError(
            "; ".join(problems) + ".", mend="correct the keys named above; config/README.md lists every key.", path=path
        ) from None


Section = TypeVar("Section", bound=Settings)


def from_json(section: type[Section], text: str) -> Section:
    """A section as it travels to a script on the command line.

    Raises:
        InputError: the text is no JSON, or does not fit the section.
    """
    try:
        return section.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()) + ".",
            mend=f"give {section.__name__} as JSON, with the keys that config/README.md lists.",
            path="--settings or --performance",
        ) from None


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        *parents, key = problem["loc"]
        return f"unknown key {place}{_nearest(str(key), _fields_at(parents))}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _nearest(name: str, known: Mapping[str, object] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f" (did you mean {close[0]!r}?)" if close else f" (known: {', '.join(known) or 'none'})"


def _fields_at(parents: list[str | int]) -> list[str]:
    """The field names of the section to which a path of keys leads."""
    section: type[Settings] | None = Configuration
    keys = iter(parents)
    for key in keys:
        if section is None:
            break
        annotation = section.model_fields[str(key)].annotation
        if get_origin(annotation) is dict:
            next(keys, None)  # the name that the user gave
        section = member_section(annotation)
    return list(section.model_fields) if section is not None else []


def member_section(annotation: Any) -> type[Settings] | None:
    """The section that a field holds: itself, as an optional, or by name; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    found = (member_section(argument) for argument in get_args(annotation))
    return next((section for section in found if section is not None), None)


def stage_settings(annotator: Annotator, stage: str) -> dict[str, Any]:
    """An annotator's settings as far as the result of one stage depends on them; the others are left out.

    Args:
        annotator: the annotator.
        stage: relsel, answer, utilsel, utilrank or replug.
    """
    listwise = annotator.protocol == "listwise"
    keys: dict[str, Any] = dict.fromkeys(
        ("model", "engine", "served_model", "protocol", "passage_words", "context_tokens", "precision"), True
    )
    if stage == "answer":
        keys |= dict.fromkeys(("answer_sampling", "thinking", "retries"), True)
    elif stage in ("relsel", "utilsel", "utilrank") and listwise:
        keys |= dict.fromkeys(("sampling", "thinking", "retries", "guided", "passes"), True)
    elif stage == "relsel":
        keys["pointwise"] = {"relevant_percent"}
    elif stage == "utilsel":
        keys["pointwise"] = {"minimum_gain"}
    return annotator.model_dump(mode="json", include=keys)


def canonical(settings: Settings | Mapping[str, Any]) -> str:
    """Settings as sorted, compact JSON: the form in which they travel to a script and decide what is stale."""
    import json

    value = settings.model_dump(mode="json") if isinstance(settings, Settings) else settings
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
