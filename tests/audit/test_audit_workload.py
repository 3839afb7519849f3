"""What a job has to do, against figures computed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.annotation.stages import STAGES
from utility_annotation.audit.plan import Estimate, Job, Output
from utility_annotation.audit.rates import Amount, Rates
from utility_annotation.audit.sizes import Sizes
from utility_annotation.audit.tables import Rate, RateTable, SizeTable, read_table
from utility_annotation.audit.tokens import WORDS_TO_TOKENS
from utility_annotation.audit.workload import Workloads
from utility_annotation.planning import annotation as annotation_rules
from utility_annotation.planning.loading import load
from utility_annotation.planning.resources import REQUESTS

SOURCE = "a test's own"
SPLIT = {
    "queries": {"format": "beir", "path": "raw/queries.jsonl"},
    "qrels": {"format": "beir", "path": "raw/qrels.tsv"},
    "answers": {"format": "jsonl", "path": "raw/answers.jsonl"},
}
CONFIGURATION: dict[str, Any] = {
    "models": {"llm": {"hub": "org/llm"}, "bert": {"hub": "org/bert"}},
    "downloads": {"file": {"url": "https://example.org/file.gz", "bytes": 5_000}},
    "datasets": {
        "d": {
            "corpus": {"format": "beir", "path": "raw/corpus.jsonl"},
            "shards": 4,
            "splits": {"train": SPLIT, "test": SPLIT},
        }
    },
    "pools": {
        "p": {"dataset": "d", "source": {"path": "raw/rows.jsonl"}, "size": 8, "shards": 2},
        "found": {"dataset": "d", "source": {"format": "merged", "testset": "found"}, "size": 8},
    },
    "annotators": {
        "list": {"model": "llm", "passage_words": 300},
        "point": {"model": "llm", "protocol": "pointwise"},
        "thinks": {"model": "llm", "thinking": True, "sampling": {"max_new_tokens": 4096}},
        "served": {"engine": "openai", "served_model_name": "far/away"},
    },
    "labels": {"human": {"pool": "p", "source": "human", "queries": {"percent": 50}}},
    "backbones": {"b": {"model": "bert", "query_length": 16, "passage_length": 100}},
    "rerankers": {"pairs": {"model": "bert", "length": 512}, "cut": {"model": "bert", "length": 60}},
    "reranked": {
        "bm25-pairs": {"retriever": "bm25/bm25", "reranker": "pairs/r", "depth": 20},
        "bm25-cut": {"retriever": "bm25/bm25", "reranker": "cut/r", "depth": 20},
        "ranked": {"retriever": "bm25/bm25", "annotator": "list", "depth": 25, "window": 10, "step": 5},
        "likely": {"retriever": "bm25/bm25", "annotator": "point", "depth": 25},
    },
    "trainings": {"r": {"labels": "human", "loss": "singlelh", "train_group_size": 4, "epochs": 3}},
    "testsets": {
        "t": {"dataset": "d", "split": "test", "depth": 100, "metrics": ["mrr@10"]},
        "found": {"dataset": "d", "split": "train", "depth": 8},
        "cut": {"dataset": "d", "split": "test", "query_length": 9},
    },
    "qa": {"q": {"testset": "t", "passages": 2}},
}
PUBLISHED: dict[str, Any] = {
    "files": [
        {"path": "corpus.jsonl", "rows": 10_000, "words": 50, "source": SOURCE},
        {"path": "queries.jsonl", "rows": 30, "words": 10, "source": SOURCE},
        {"path": "rows.jsonl", "rows": 200, "words": 10, "passage_words": 50, "source": SOURCE},
    ],
    "models": [
        {"model": "org/llm", "parameters": 9, "multiplied": 8, "dimension": 4, "bytes": 18, "source": SOURCE},
        {"model": "org/bert", "parameters": 1000, "multiplied": 8, "dimension": 768, "bytes": 4000, "source": SOURCE},
    ],
    "replies": [
        {
            "model": "*",
            "selected": {"relsel": 2.5, "utilsel": 1.5},
            "selected_otherwise": 1,
            "answer_tokens": 20,
            "thinking_tokens": 100,
            "source": SOURCE,
        }
    ],
}


class _Rates(Rates):
    """Takes a second for whatever it is asked for, and keeps that."""

    def __init__(self) -> None:
        super().__init__([], "gpu")
        self.asked: dict[str, float] = {}
        self.cache: float | None = None

    def time(self, amounts: Iterable[Amount], *, gpus: int, threads: int) -> float:
        """See ``Rates``."""
        parts = list(amounts)
        self.asked = {amount.work: amount.amount for amount in parts}
        self.cache = parts[-1].cache
        return 1


@pytest.fixture
def workloads(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workloads:
    monkeypatch.chdir(tmp_path)
    return made(root)


def made(root: Path, rates: Rates | None = None, **selected: float) -> Workloads:
    replies = PUBLISHED["replies"][0]
    replies = replies | {"selected": replies["selected"] | selected}
    configuration = load(CONFIGURATION)
    sizes = Sizes(configuration, SizeTable.model_validate(PUBLISHED | {"replies": [replies]}))
    return Workloads(configuration, sizes, rates or _Rates(), root / "resources")


def job(rule: str, outputs: int = 1, **wildcards: str) -> Job:
    paths = tuple(Output(path=f"out{number}") for number in range(outputs))
    return Job(id=0, rule=rule, wildcards=wildcards, outputs=paths)


def amounts(workloads: Workloads, job: Job) -> dict[str, float]:
    """What is asked of the rates for a job."""
    workloads.estimate(job)
    rates = workloads._rates
    assert isinstance(rates, _Rates)
    return rates.asked


def annotating(stage: str, annotator: str) -> Job:
    return job(f"annotate_{stage}", 2, pool="p", annotator=annotator, shard="0000-of-0002")


def annotation(workloads: Workloads, stage: str, annotator: str) -> Estimate:
    return workloads.estimate(annotating(stage, annotator))


def test_a_download_is_as_large_as_published(workloads: Workloads) -> None:
    fetch = job("fetch", download="file", file="file.gz")
    assert amounts(workloads, fetch)["copy"] == 5_000
    assert workloads.estimate(fetch).bytes == (5_000,)


def test_files_of_the_hub_of_which_no_table_tells_the_size_are_said(workloads: Workloads) -> None:
    place = "raw/hub/o/n/a%2F"
    fetch = Job(id=0, rule="fetch_hub_folder", wildcards={"hub_place": place}, outputs=(Output(path=place),))
    assert place in str(workloads.estimate(fetch).unknown)


def test_the_cache_holds_the_prompt_and_the_reply_of_a_request(root: Path, workloads: Workloads) -> None:
    asked = workloads.asked("p", "list", "relsel")
    models = [model | {"cache_bytes": 10} for model in PUBLISHED["models"]]
    rates = _Rates()
    sizes = Sizes(workloads.configuration, SizeTable.model_validate(PUBLISHED | {"models": models}))
    Workloads(workloads.configuration, sizes, rates, root / "resources").estimate(annotating("relsel", "list"))
    assert rates.cache == pytest.approx(10 * (asked.prompt_tokens + asked.new_tokens) / asked.requests)
    workloads.estimate(annotating("relsel", "list"))
    assert isinstance(workloads._rates, _Rates)
    assert workloads._rates.cache is None


def test_vectors_have_two_bytes_a_dimension(workloads: Workloads) -> None:
    encode = job("encode", 2, backbone="b", training="r", dataset="d", length="", shard="0000-of-0004")
    assert workloads.estimate(encode).bytes[0] == 10_000 / 4 * 768 * 2
    assert amounts(workloads, encode)["encode"] == pytest.approx(10_000 / 4 * (50 * WORDS_TO_TOKENS + 2))


def test_search_scores_every_passage_for_every_question(workloads: Workloads) -> None:
    search = job("search", 2, backbone="b", training="r", testset="t")
    assert amounts(workloads, search)["score"] == 2 * 30 * 10_000 * 768
    assert amounts(workloads, search)["load"] == 10_000 * 768 * 2
    assert sum(workloads.estimate(search).bytes) == 30 * 100 * 54


def test_encoding_reads_as_many_tokens_as_the_lengths_of_a_test_set_allow(workloads: Workloads) -> None:
    encode = job("encode", 2, backbone="b", training="r", dataset="d", length="@40", shard="0000-of-0004")
    assert amounts(workloads, encode)["encode"] == 10_000 / 4 * 40
    search = job("search", 2, backbone="b", training="r", testset="cut")
    assert amounts(workloads, search)["encode"] == 30 * 9


@pytest.mark.parametrize(
    ("reranked", "testset", "pairs", "tokens"),
    [
        ("bm25-pairs", "t", 30 * 20, (10 + 50) * WORDS_TO_TOKENS + 3),
        ("bm25-cut", "t", 30 * 20, 60),
        ("bm25-cut", "found", 30 * 8, 60),  # a run of 8 passages per question
    ],
)
def test_a_reranker_reads_the_question_with_each_of_the_first_passages(
    workloads: Workloads, reranked: str, testset: str, pairs: int, tokens: float
) -> None:
    rerank = job("rerank", 3, reranked=reranked, testset=testset)
    assert amounts(workloads, rerank) == {"start-encoder": 1, "encode": pytest.approx(pairs * tokens)}
    hits = 30 * (100 if testset == "t" else 8)
    assert sum(workloads.estimate(rerank).bytes) == hits * 54 + 1000, "those behind them stay in the run"


@pytest.mark.parametrize(("reranker", "tokens"), [("pairs", (10 + 2 * 50) * WORDS_TO_TOKENS + 3), ("cut", 60)])
def test_a_rerankers_training_reads_the_question_with_each_passage(
    workloads: Workloads, reranker: str, tokens: float
) -> None:
    train = job("train", backbone=reranker, training="r")
    assert amounts(workloads, train)["train"] == pytest.approx(100 * 3 * 4 * tokens)
    assert workloads.estimate(train).bytes == (4000,)


def test_training_reads_its_passages_in_every_epoch_padded_to_the_longest(workloads: Workloads) -> None:
    train = job("train", backbone="b", training="r")
    questions = 200 / 2
    assert amounts(workloads, train)["train"] == questions * 3 * (4 * 100 + 16)
    assert workloads.estimate(train).bytes == (4000,)
    assert "encode" not in amounts(workloads, train)


def test_work_on_parts_of_a_pool_follows_their_shares(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = {"dataset": "d", "shards": 2}
    parts = {"tenth": [0, 10], "held-out": [10, 15]}
    pools = {name: part | {"source": {"format": "pool", "pool": "p", "percent": ends}} for name, ends in parts.items()}
    labels = {name: {"pool": name, "source": "utilsel", "annotator": "list"} for name in parts}
    labels["parts"] = {"pool": "p", "source": "cascade", "of": ["tenth", "held-out"], "queries": {"percent": 50}}
    monkeypatch.setitem(CONFIGURATION, "pools", CONFIGURATION["pools"] | pools)
    monkeypatch.setitem(CONFIGURATION, "labels", CONFIGURATION["labels"] | labels)
    monkeypatch.setitem(CONFIGURATION, "trainings", {"r": CONFIGURATION["trainings"]["r"] | {"labels": "parts"}})
    found = made(root)
    whole = annotation(found, "relsel", "list")
    for name, share in (("tenth", 0.1), ("held-out", 0.05)):
        asked = found.estimate(job("annotate_relsel", 2, pool=name, annotator="list", shard="0000-of-0002"))
        assert asked.prompt_tokens == pytest.approx(share * whole.prompt_tokens)
        assert asked.new_tokens == pytest.approx(share * whole.new_tokens)
    assert amounts(found, job("merge_labels", labels="parts"))["rows"] == 15 * 8
    assert amounts(found, job("train", backbone="b", training="r"))["train"] == 15 * 3 * (4 * 100 + 16)


def test_lora_has_four_of_six_operations(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGURATION, "trainings", {"r": CONFIGURATION["trainings"]["r"] | {"lora": {"r": 4}}})
    found = amounts(made(root), job("train", backbone="b", training="r"))
    assert found["train"] == pytest.approx(100 * 3 * (4 * 100 + 16) * 4 / 6)


def test_a_training_encodes_whole_pools_at_each_evaluation(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = CONFIGURATION["labels"] | {"dev": {"pool": "p", "source": "human", "queries": {"percent": 10}}}
    trained = CONFIGURATION["trainings"]["r"] | {"global_batch_size": 10, "dev": {"labels": "dev", "every": 5}}
    monkeypatch.setitem(CONFIGURATION, "labels", labels)
    monkeypatch.setitem(CONFIGURATION, "trainings", {"r": trained})
    found = amounts(made(root), job("train", backbone="b", training="r"))
    assert found["train"] == 100 * 3 * (4 * 100 + 16)
    # 30 steps, so 6 evaluations, and those before the first step and after the last
    assert found["encode"] == 8 * 20 * (8 * 100 + 16)
    assert amounts(made(root), job("train", backbone="cut", training="r"))["encode"] == 8 * 20 * 8 * 60


@pytest.mark.parametrize(
    ("planned", "work", "number", "left"),
    [
        (job("merge_labels", labels="human"), "rows", 100 * 8, 100 * 8 * 8),
        (job("ingest_corpus", dataset="d"), "texts", 10_000, 10_000 * (50 * 2.7 + 4)),
        (job("bm25_search", 2, testset="t"), "texts", 30 * 100, 30 * 100 * 54),
        (job("build_pool_p", 2), "texts", 200 * 8, 200 * 8 * (50 * 2.7 + 8)),
        (job("results_table", 2, table="x"), "start", 1, 100_000),
    ],
)
def test_coarse_work_counts_what_a_job_goes_through_and_leaves(
    workloads: Workloads, planned: Job, work: str, number: float, left: float
) -> None:
    assert amounts(workloads, planned)[work] == number
    assert sum(workloads.estimate(planned).bytes) == pytest.approx(left)


def test_relevance_selection_shows_the_whole_pool_at_once(workloads: Workloads) -> None:
    load = annotation(workloads, "relsel", "list")
    assert workloads.asked("p", "list", "relsel").requests == 1
    per_question = load.prompt_tokens / 100
    assert 8 * 50 * 1.41 < per_question < 8 * 50 * 1.41 + 8 * 30 + 300
    assert load.new_tokens == pytest.approx(100 * (6 + 3 * 2.5))
    assert amounts(workloads, annotating("relsel", "list"))["prompt"] == load.prompt_tokens


def test_later_stages_show_what_relevance_selection_keeps(root: Path, workloads: Workloads) -> None:
    """2.5 passages: as many tokens as two and three passages on average, and answers of the expected length."""
    found = [annotation(made(root, relsel=kept), "answer", "list").prompt_tokens for kept in (2, 3)]
    assert annotation(workloads, "answer", "list").prompt_tokens == pytest.approx(sum(found) / 2)
    assert annotation(workloads, "answer", "list").new_tokens == 100 * 20
    assert annotation(workloads, "utilsel", "list").new_tokens == pytest.approx(100 * (6 + 3 * 1.5))
    assert annotation(workloads, "utilrank", "list").new_tokens == pytest.approx(100 * 4 * 2.5)
    assert annotation(workloads, "utilsel_truth", "list").new_tokens == pytest.approx(100 * (6 + 3 * 1))


def test_a_new_stage_is_counted_by_its_entry(root: Path, workloads: Workloads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that no table of sizes knows selects as many passages as any other."""
    graded = replace(STAGES["utilsel"], reads=("relsel",))
    monkeypatch.setattr("utility_annotation.audit.workload.STAGES", {**STAGES, "graded": graded})
    monkeypatch.setattr("utility_annotation.planning.annotation.STAGES", {**STAGES, "graded": graded})
    asked = workloads.asked("p", "list", "graded")
    assert (asked.requests, asked.new_tokens) == (1, 6 + 3 * 1)
    assert workloads.asked("p", "point", "graded").scored


def test_a_thought_comes_on_top_of_a_reply(workloads: Workloads) -> None:
    assert annotation(workloads, "relsel", "thinks").new_tokens == pytest.approx(100 * (100 + 6 + 3 * 2.5))
    assert annotation(workloads, "answer", "thinks").new_tokens == 100 * 120


def test_pointwise_judgements_are_likelihoods_a_passage_each(workloads: Workloads) -> None:
    relsel, utilsel = annotation(workloads, "relsel", "point"), annotation(workloads, "utilsel", "point")
    assert [workloads.asked("p", "point", stage).requests for stage in ("relsel", "utilsel")] == [8, 8 // 2 + 1]
    assert amounts(workloads, annotating("relsel", "point"))["likelihood"] == relsel.prompt_tokens
    assert relsel.new_tokens == utilsel.new_tokens == 0


def test_pointwise_ranking_finds_its_likelihoods_in_the_store(workloads: Workloads) -> None:
    load = annotation(workloads, "utilrank", "point")
    assert (workloads.asked("p", "point", "utilrank").requests, load.prompt_tokens) == (0, 0)
    assert amounts(workloads, annotating("utilrank", "point"))["start-llm"] == 1


def test_replug_scores_each_candidate(workloads: Workloads) -> None:
    assert workloads.asked("p", "list", "replug").requests == 8


def test_answers_are_generated_from_so_many_passages(workloads: Workloads) -> None:
    load = workloads.estimate(job("generate_answers", 2, backbone="b", training="r", qa="q", generator="list"))
    assert load.new_tokens == 30 * 20
    assert 30 * 2 * 50 * 1.3 < load.prompt_tokens < 30 * (2 * 50 * 1.5 + 150)


def test_an_llm_reranks_by_a_prompt_a_window(workloads: Workloads) -> None:
    """Four windows of ten passages of 50 words; each passage is named in the reply by four tokens."""
    planned = job("rerank_by_llm", 3, reranked="ranked", testset="t")
    load, asked = workloads.estimate(planned), workloads._reranked("ranked", "t")
    assert (asked.requests, load.new_tokens) == (4, 30 * 4 * 10 * 4)
    assert 30 * 4 * 10 * 50 * 1.41 < load.prompt_tokens < 30 * 4 * (10 * 50 * 1.41 + 10 * 30 + 300)
    assert amounts(workloads, planned)["prompt"] == load.prompt_tokens
    assert load.bytes[0] + load.bytes[1] == 30 * 100 * 54


def test_an_llm_reranks_by_a_likelihood_a_passage(workloads: Workloads) -> None:
    planned = job("rerank_by_llm", 3, reranked="likely", testset="t")
    load, asked = workloads.estimate(planned), workloads._reranked("likely", "t")
    assert (asked.requests, asked.scored, load.new_tokens) == (25, True, 0)
    assert 30 * 25 * 50 * 1.3 < load.prompt_tokens < 30 * 25 * (50 * 1.5 + 60)
    assert amounts(workloads, planned)["likelihood"] == load.prompt_tokens


def test_a_servers_tokens_are_counted_and_its_speed_is_not_made_up(workloads: Workloads, root: Path) -> None:
    shipped = read_table(RateTable, root / "resources" / "audit" / "rates.yaml")
    load = annotation(made(root, Rates([shipped], "A800")), "relsel", "served")
    assert load.prompt_tokens == annotation(workloads, "relsel", "list").prompt_tokens
    assert (load.seconds, load.unknown[:50]) == (
        None,
        "a rate of prompt of model served on device server (give it"[:50],
    )
    own = [
        Rate(device="server", work=work, model="far/away", rate=100, basis="measured", source=SOURCE)
        for work in ("prompt", "reply")
    ]
    load = annotation(made(root, Rates([RateTable(rates=tuple(own)), shipped], "A800")), "relsel", "served")
    assert load.seconds == pytest.approx((load.prompt_tokens + load.new_tokens) / 100, rel=0.01)


def test_a_rule_without_an_entry_is_said(workloads: Workloads) -> None:
    assert "an entry of rule of_my_own" in workloads.estimate(job("of_my_own")).unknown


def test_every_rule_of_the_workflow_has_an_entry_and_every_entry_a_rule(root: Path) -> None:
    rules = "".join(path.read_text() for path in (root / "rules").glob("*.smk"))
    named = set(re.findall(r"^(?:rule|use rule \w+ as) (\w+)(?: with)?:", rules, flags=re.MULTILINE))
    assert (
        named | {"build_pool", "divide_pool", "sample_passages"} | set(map(annotation_rules.rule, STAGES))
        == REQUESTS.keys()
    )
