"""What jobs ask a scheduler for: beside the audit's prediction, on the command line, and what partitions allow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from snakemake_executor_plugin_slurm.partitions import Partition, read_partition_file
from snakemake_executor_plugin_slurm.submit_string import get_submit_command

from utility_annotation.annotation.stages import QUESTION, STAGES, chain
from utility_annotation.audit.plan import Job, Output
from utility_annotation.audit.predictions import Predictions
from utility_annotation.audit.rates import GPU, Rates
from utility_annotation.audit.sizes import Sizes
from utility_annotation.audit.tables import RateTable, read_sizes, read_table
from utility_annotation.audit.workload import Workloads
from utility_annotation.labels.sources import is_graded, is_measured
from utility_annotation.planning import annotation, answers, reranking, results, retrieval, selection, training
from utility_annotation.planning.loading import load
from utility_annotation.planning.plan import Plan
from utility_annotation.planning.resources import LEAST_MINUTES, REQUESTS
from utility_annotation.settings import UNTRAINED, Configuration

ATTEMPTS = (1, 2, 3)
"""The first, and the retries of the profile."""
THREADS = 8
GPUS: dict[str, Callable[..., int] | None] = {
    "bm25_index": None,
    "bm25_search": None,
    "encode": retrieval.gpus,
    "search": retrieval.gpus,
    "rerank": retrieval.gpus,
    "train": training.gpus,
    "generate_answers": annotation.gpus,
    "evaluate_answers": answers.bert_score_gpus,
    "rerank_by_llm": annotation.gpus,
    "score_pool": retrieval.gpus,
    "select_by_llm": annotation.gpus,
    **{annotation.rule(stage): annotation.gpus for stage in STAGES},
}
"""The rules that ask for time, and what says how many GPUs they have."""
ANNOTATORS: dict[str, Callable[..., str]] = {
    "generate_answers": answers.generator,
    "rerank_by_llm": reranking.annotator,
    "select_by_llm": selection.annotator,
}
"""Those whose LLM is no wildcard of the name, and what tells it."""

Asked = tuple[str, dict[str, str]]
"""A job: its rule and its wildcards."""


@pytest.fixture
def raw(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """config/paper.yaml with a reranker and an LLM that reranks, in a working folder without results."""
    monkeypatch.chdir(tmp_path)
    read: dict[str, Any] = yaml.safe_load((root / "config" / "paper.yaml").read_text())
    read["rerankers"] = {"cross": {"model": "retromae-msmarco"}}
    read["reranked"] = {
        "bm25-cross": {"retriever": "bm25/bm25", "reranker": "cross/human"},
        "by-llm": {"retriever": "bm25/bm25", "annotator": "llama-3.1-8b", "depth": 20},
    }
    read["selected"] = {"chosen": {"retriever": "bm25/bm25", "annotator": "llama-3.1-8b", "depth": 5}}
    return read


@pytest.fixture
def paper(raw: dict[str, Any]) -> Configuration:
    return load(raw)


@pytest.fixture
def profile(root: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((root / "profiles" / "slurm" / "config.yaml").read_text())
    return read


@pytest.fixture
def partitions(root: Path) -> list[Partition]:
    return read_partition_file(root / "profiles" / "slurm" / "partitions.yaml")


def shards(configuration: Configuration) -> Iterator[list[Asked]]:
    """The stages of a shard, for every label set."""
    for labels in configuration.labels.values():
        if labels.annotator is not None:
            wildcards = {"pool": labels.pool, "annotator": labels.annotator, "shard": "0000-of-0001"}
            protocol = configuration.annotators[labels.annotator].protocol
            yield [(annotation.rule(stage), wildcards) for stage in chain(labels.source, protocol)]


def jobs(configuration: Configuration) -> Iterator[Asked]:
    """A job of each kind that asks for time."""
    for shard in shards(configuration):
        yield from shard
    _, first = shard[0]
    for stage in STAGES:
        if stage.startswith(QUESTION):
            yield annotation.rule(stage), first
        elif is_graded(stage) or is_measured(stage):  # a prompt per passage: by a model that does not think
            yield annotation.rule(stage), {**first, "annotator": "llama-3.1-8b"}
    for model in results.shown_models(configuration):
        *_, backbone, name = model.split("/")
        yield "train", {"backbone": backbone, "training": name}
    for reranked, settings in configuration.reranked.items():
        if settings.annotator:
            continue
        *_, reranker, name = reranking.model(configuration, reranked=reranked).split("/")
        yield "train", {"backbone": reranker, "training": name}
        for testset in configuration.testsets:
            yield "rerank", {"reranked": reranked, "testset": testset}
    for dataset in configuration.datasets:
        yield "bm25_index", {"dataset": dataset}
        for backbone in configuration.backbones:
            one = {"shard": "0000-of-0001", "length": ""}
            yield "encode", {"backbone": backbone, "training": UNTRAINED, "dataset": dataset, **one}
    for testset in configuration.testsets:
        yield "bm25_search", {"testset": testset}
        for backbone in configuration.backbones:
            yield "search", {"backbone": backbone, "training": UNTRAINED, "testset": testset}
    for name, each in configuration.reranked.items():
        if each.annotator:
            yield from (("rerank_by_llm", {"reranked": name, "testset": testset}) for testset in configuration.testsets)
    for name in configuration.selected:
        yield from (("select_by_llm", {"selected": name, "testset": testset}) for testset in configuration.testsets)
    for pool in configuration.pools:
        yield "score_pool", {"reranker": "cross", "training": "human", "pool": pool, "shard": "0000-of-0001"}
    for qa in configuration.qa:
        for generator in ("llama-3.1-8b", "qwen-2.5-32b-int8"):
            yield "generate_answers", {"retriever": "any", "qa": qa, "generator": generator}
            yield "evaluate_answers", {"retriever": "any", "qa": qa, "generator": generator}


class Requests:
    """What the jobs of a configuration ask for."""

    def __init__(self, configuration: Configuration, root: Path) -> None:
        self.plan = Plan(configuration, root, Predictions(configuration, root / "resources"))

    def __call__(self, job: Asked, attempt: int = 1) -> dict[str, int]:
        rule, names = job
        wildcards, given = SimpleNamespace(**names), {"threads": THREADS, "attempt": attempt}
        known = {"annotator": ANNOTATORS[rule]} if rule in ANNOTATORS else {}
        return {
            name: value(wildcards, **{key: given[key] for key in value.__annotations__.keys() & given})
            for name, value in self.plan.requests(rule, GPUS[rule], **known).items()
        }


@pytest.fixture
def requests(paper: Configuration, root: Path) -> Requests:
    return Requests(paper, root)


def test_each_rule_with_a_time_of_its_own_is_looked_at(paper: Configuration) -> None:
    assert GPUS.keys() == {rule for rule, request in REQUESTS.items() if request.runtime is not None}
    assert {rule for rule, _ in jobs(paper)} == GPUS.keys()


def test_jobs_of_the_paper_ask_for_one_to_four_times_the_time_that_the_audit_predicts(
    paper: Configuration, requests: Requests, root: Path
) -> None:
    tables = root / "resources" / "audit"
    sizes = Sizes(paper, read_sizes([tables / "sizes.yaml"]))
    rates = Rates([read_table(RateTable, tables / "rates.yaml")], GPU)
    audit = Workloads(paper, sizes, rates, root / "resources")
    outputs = (Output(path="one"), Output(path="two"))
    for rule, wildcards in jobs(paper):
        gpus = requests((rule, wildcards)).get("gpu", 0)
        job = Job(id=0, rule=rule, wildcards=wildcards, outputs=outputs, gpus=gpus, threads=THREADS)
        seconds = audit.estimate(job).seconds
        assert seconds is not None
        for attempt in ATTEMPTS:
            minutes = requests((rule, wildcards), attempt)["runtime"]
            least = LEAST_MINUTES * attempt
            assert seconds / 60 <= minutes <= max(seconds / 60 * 4 + 1, least), (rule, wildcards, attempt)


def test_requests_scale_with_the_data(raw: dict[str, Any], root: Path) -> None:
    few, many = {}, {}
    for number, found in ((64, few), (16, many)):
        raw["pools"]["msmarco-train"]["shards"] = number
        configuration = load(raw)
        found |= {job[0]: Requests(configuration, root)(job)["runtime"] for job in next(shards(configuration))}
    assert few.keys() == many.keys()
    assert all(3 < many[rule] / few[rule] < 4 for rule in few), "four times the questions, and one start"


def test_what_the_audit_does_not_know_asks_for_hours(raw: dict[str, Any], root: Path) -> None:
    raw["models"]["retromae-msmarco"] = {"hub": "some/other"}
    configuration = load(raw)
    asked = Requests(configuration, root)(("train", {"backbone": "retromae", "training": "human"}))
    assert asked["runtime"] == REQUESTS["train"].runtime


def test_a_large_encoder_asks_for_memory_for_its_weights(raw: dict[str, Any], root: Path) -> None:
    """7.57 billion weights of 4 bytes: each process loads them, and a checkpoint has them and two moments."""
    encode = ("encode", {"backbone": "retromae", "training": UNTRAINED, "dataset": "msmarco", "length": ""})
    encode[1]["shard"] = "0000-of-0001"
    train = ("train", {"backbone": "retromae", "training": "human"})
    rerank = ("rerank", {"reranked": "bm25-cross", "testset": "msmarco-dev"})
    train_reranker = ("train", {"backbone": "cross", "training": "human"})
    small = Requests(load(raw), root)
    assert [small(job)["mem_mb"] for job in (encode, rerank, train)] == [8000, 8000, 44000]
    raw["models"]["retromae-msmarco"] = {"hub": "Qwen/Qwen3-Embedding-8B"}
    large = Requests(load(raw), root)
    for job, copies in ((encode, 1), (rerank, 1), (train, 8 + 3), (train_reranker, 8 + 3)):
        assert large(job)["mem_mb"] == pytest.approx(6000 + copies * 4 * 7567, rel=1e-3)
    raw["trainings"]["human"]["lora"] = {"r": 16}
    raw["performance"]["train"] |= {"fsdp": True, "gpus": 8}
    for each in raw["trainings"].values():
        each["precision"] = "bf16"
    assert Requests(load(raw), root)(train)["mem_mb"] == 44000, "one process at a time, and adapters alone"


def test_a_file_that_cannot_be_read_does_not_keep_a_plan_from_being_made(requests: Requests) -> None:
    corpus = Path("data/msmarco/corpus.parquet")
    corpus.parent.mkdir(parents=True)
    corpus.write_bytes(b"cut short")
    assert requests(("bm25_index", {"dataset": "msmarco"}))["runtime"] == REQUESTS["bm25_index"].runtime


class Resources(dict[str, Any]):
    """As the plugin reads a job's."""

    __getattr__ = dict.__getitem__


def test_a_training_asks_for_one_node_and_for_memory_of_each_process(
    raw: dict[str, Any], root: Path, profile: dict[str, Any]
) -> None:
    names = ("run_uuid", "slurm_logfile", "comment_str", "account", "partition", "workdir")
    memory = {}
    for gpus in (1, 8):
        raw["performance"]["train"]["gpus"] = gpus
        asked = Requests(load(raw), root)(("train", {"backbone": "retromae", "training": "human"}))
        resources = Resources(profile["default-resources"] | asked)
        job = SimpleNamespace(resources=resources, threads=THREADS * gpus, is_group=lambda: False)
        command = get_submit_command(job, dict.fromkeys(names, ""))
        assert "--nodes=1 " in command
        memory[gpus] = int(re.findall(r"--mem (\d+)", command)[0])
    assert memory == {1: 16000, 8: 44000}


# what the shipped partitions allow


def fits(partitions: list[Partition], resources: dict[str, Any], threads: int = THREADS) -> bool:
    """Whether the plugin finds a partition for a job."""
    job = SimpleNamespace(resources=Resources(resources), threads=threads, is_group=lambda: False, name="job")
    return any(partition.score_job_fit(job) is not None for partition in partitions)


def together(of: list[dict[str, int]]) -> dict[str, int]:
    """What a group of jobs asks for that run one after the other."""
    return {name: (sum if name == "runtime" else max)(job[name] for job in of) for name in of[0]}


def test_every_attempt_of_every_job_fits_a_partition(
    paper: Configuration, requests: Requests, partitions: list[Partition]
) -> None:
    for attempt in ATTEMPTS:
        for job in jobs(paper):
            asked = requests(job, attempt)
            assert fits(partitions, asked, THREADS * max(1, asked.get("gpu", 0))), (job, attempt)
        for shard in shards(paper):
            assert fits(partitions, together([requests(job, attempt) for job in shard])), (shard, attempt)


@pytest.fixture
def examples(root: Path) -> dict[str, Any]:
    """The profile with its commented lines in force."""
    text = (root / "profiles" / "slurm" / "config.yaml").read_text()
    settings = re.sub(r"^( *)# (?=(  )?[\w-]+:( |$))", r"\1", text, flags=re.MULTILINE)
    read: dict[str, Any] = yaml.safe_load(settings)
    return read


def test_the_commented_lines_are_settings(examples: dict[str, Any], profile: dict[str, Any]) -> None:
    assert examples.keys() - profile.keys() == {"set-resources", "group-components", "software-deployment-method"}
    assert examples["default-resources"].keys() - profile["default-resources"].keys() == {"slurm_account"}
    assert examples["jobs"] < profile["jobs"]


def test_no_commented_resource_is_more_than_the_partitions_allow(
    paper: Configuration, requests: Requests, examples: dict[str, Any], partitions: list[Partition]
) -> None:
    changed = examples["set-resources"]
    for attempt in ATTEMPTS:

        def asked(job: Asked, attempt: int = attempt) -> dict[str, Any]:
            own = changed.get(job[0], {}).items()
            return requests(job, attempt) | {
                k: v if k == "gpu_model" else eval(str(v), {"attempt": attempt}) for k, v in own
            }

        for job in jobs(paper):
            assert fits(partitions, asked(job), THREADS * max(1, asked(job).get("gpu", 0))), (job, attempt)
        for shard in shards(paper):
            assert fits(partitions, together([asked(job) for job in shard])), (shard, attempt)


def test_the_commented_group_of_shards_fits_a_partition(
    raw: dict[str, Any], root: Path, examples: dict[str, Any], partitions: list[Partition]
) -> None:
    """It speaks of shards of 1,500 questions."""
    number = examples["group-components"]["annotate"]
    for name, questions in (("msmarco-train", 491_007), ("nq-train", 58_880)):
        raw["pools"][name]["shards"] = -(-questions // 1_500)
    configuration = load(raw)
    requests = Requests(configuration, root)
    for attempt in ATTEMPTS:
        for shard in shards(configuration):
            assert fits(partitions, together([requests(job, attempt) for job in shard * number])), (shard, attempt)
