"""What labels cost: the work behind a training, the device hours of an annotation, and the prices."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from judged_pools import write_annotation, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import write_json
from utility_annotation.labels.cost import Effort, Records
from utility_annotation.labels.shards import query_subset
from utility_annotation.labels.work import Work, work_of_training
from utility_annotation.planning.loading import load
from utility_annotation.reporting.metrics import read_published
from utility_annotation.settings import Configuration, Cost, QuerySubset

MS_MARCO_QUERIES, POOL_SIZE, GPUS = 491_007, 31, 8
HUMAN = Effort(judgements=MS_MARCO_QUERIES * POOL_SIZE)
QUERIES = [f"q{number}" for number in range(10)]
FIFTH = QuerySubset(percent=20)


def configured(labels: dict[str, Any], trainings: dict[str, Any], protocol: str = "listwise") -> Configuration:
    source = {"format": "beir", "path": "x"}
    split = {"queries": source, "qrels": source, "answers": {"format": "jsonl", "path": "x"}}
    model = {"package": "x"}
    return load(
        {
            "models": {"m": model},
            "datasets": {"d": {"corpus": source, "splits": {"train": split}}},
            "pools": {"p": {"dataset": "d", "source": {"path": "x"}}},
            "annotators": {"llm": {"model": "m", "protocol": protocol}},
            "labels": {name: {"pool": "p"} | values for name, values in labels.items()},
            "trainings": trainings,
        }
    )


def kinds(work: list[Work] | None) -> list[str]:
    assert work is not None
    return [part.kind for part in work]


@pytest.mark.parametrize(
    ("training", "effort"),
    [
        ("human", HUMAN),
        ("replug", Effort(answers=MS_MARCO_QUERIES, device_hours=70 * GPUS)),
        ("utilsel", Effort(device_hours=53 * GPUS)),
        ("utilsel-cl20", Effort(judgements=0.2 * HUMAN.judgements, device_hours=53 * GPUS)),
    ],
)
def test_the_papers_quantities_cost_what_its_table_17_says(root: Path, training: str, effort: Effort) -> None:
    published = read_published("17", root / "resources" / "paper" / "published.csv").set_index(["row", "metric"])
    usd = effort.usd(Cost())
    assert usd is not None
    assert round(usd) == published.loc[(training, "cost_usd"), "published"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("human", ["judgements"]),
        ("relsel", ["relsel"]),
        ("utilsel", ["relsel", "answer", "utilsel"]),
        ("utilrank", ["relsel", "answer", "utilrank"]),
        ("utilsel-truth", ["answers", "utilsel-truth"]),
    ],
)
def test_labels_rest_on_the_stages_of_their_source(source: str, expected: list[str]) -> None:
    annotator = {} if source == "human" else {"annotator": "llm"}
    configuration = configured({"l": {"source": source} | annotator}, {"r": {"labels": "l"}})
    assert kinds(work_of_training(configuration, "r")) == expected


def test_replug_needs_a_human_answer_a_query() -> None:
    labels = {"l": {"source": "replug", "annotator": "llm"}}
    work = work_of_training(configured(labels, {"r": {"labels": "l", "loss": "kl"}}), "r")
    assert kinds(work) == ["answers", "replug"]


def test_a_pointwise_ranking_rests_on_the_likelihoods_of_the_selection() -> None:
    labels = {"l": {"source": "utilrank", "annotator": "llm"}}
    work = work_of_training(configured(labels, {"r": {"labels": "l"}}, protocol="pointwise"), "r")
    assert kinds(work) == ["relsel", "answer", "utilsel"]


def test_a_curriculum_pays_for_its_first_stages() -> None:
    labels = {"useful": {"source": "relsel", "annotator": "llm"}, "human": {"source": "human"}}
    trainings = {"first": {"labels": "useful"}, "second": {"labels": "human", "init_from": "first"}}
    assert kinds(work_of_training(configured(labels, trainings), "second")) == ["judgements", "relsel"]


def test_a_union_pays_for_the_part_of_each_member_that_it_uses() -> None:
    labels = {
        "useful": {"source": "relsel", "annotator": "llm"},
        "few": {"source": "human", "queries": {"percent": 20}},
        "both": {"source": "union", "of": ["useful", "few"], "queries": {"percent": 50}},
    }
    work = work_of_training(configured(labels, {"r": {"labels": "both"}}), "r")
    assert work is not None
    assert {part.kind: [subset.percent for subset in part.queries] for part in work} == {
        "relsel": [50, 100],
        "judgements": [50, 20],
    }


@pytest.mark.parametrize("training", ["alone", "refined"])
def test_the_cost_of_labels_from_a_file_is_not_known(training: str) -> None:
    labels = {
        "theirs": {"source": "file", "file": {"format": "trec", "path": "x"}},
        "human": {"source": "human"},
        "both": {"source": "union", "of": ["theirs", "human"]},
    }
    trainings = {"alone": {"labels": "both"}, "refined": {"labels": "human", "init_from": "alone"}}
    assert work_of_training(configured(labels, trainings), training) is None


def job(
    made: int, seconds: float, load: float = 0, gpus: int = 0, earlier: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A summary of a job whose engine made ``made`` tokens, a tenth of them generated."""
    generated = made // 10
    return {
        "prompt_tokens": made - generated,
        "new_tokens": generated,
        "engine_seconds": seconds,
        "load_seconds": load,
        "gpus": gpus,
        "earlier": earlier,
    }


def annotated(folder: Path, stage: str, *jobs: dict[str, Any], tokens: int = 1000) -> list[Path]:
    """A stage of annotator ``llm`` on pool ``p``, a shard a job, each query of ``tokens`` tokens."""
    rows = {query: {"prompt_tokens": tokens - 100, "completion_tokens": 100} for query in QUERIES}
    shards = write_annotation(folder / "p" / "llm" / stage, rows, len(jobs))
    for shard, summary in zip(shards, jobs, strict=True):
        write_json(shard.with_suffix(".json"), summary)
    return shards


def stage(kind: Any, *queries: QuerySubset) -> Work:
    return Work(kind=kind, pool="p", annotator="llm", queries=queries)


def test_device_hours_are_all_tokens_by_the_measured_speed_and_the_loads(tmp_path: Path) -> None:
    """Of 10,000 tokens a job that was resumed made 2,000 in 20 s, and one that found all in the store none."""
    shards = annotated(tmp_path, "relsel", job(2000, 20, load=30), job(0, 0, load=50))
    effort = Records([], shards).effort([stage("relsel")])
    assert effort.device_hours == pytest.approx((10_000 / 100 + 80) / 3600)


def test_several_gpus_of_a_job_count_each(tmp_path: Path) -> None:
    shards = annotated(tmp_path, "relsel", job(10_000, 100, load=30, gpus=4))
    effort = Records([], shards).effort([stage("relsel")])
    assert effort.device_hours == pytest.approx(4 * (100 + 30) / 3600)


def test_a_stage_that_two_label_sets_share_counts_once(tmp_path: Path) -> None:
    records = Records([], annotated(tmp_path, "relsel", job(10_000, 100)))
    once = records.effort([stage("relsel")])
    assert records.effort([stage("relsel"), stage("relsel", FIFTH)]) == once


def test_stages_add_up(tmp_path: Path) -> None:
    shards = [*annotated(tmp_path, "relsel", job(10_000, 100)), *annotated(tmp_path, "answer", job(10_000, 260))]
    effort = Records([], shards).effort([stage("relsel"), stage("answer")])
    assert effort.device_hours == pytest.approx(0.1)


def test_only_the_labelled_queries_count(tmp_path: Path) -> None:
    pool = {query: [(f"d{place}", False) for place in range(3)] for query in QUERIES}
    special = query_subset(QUERIES, FIFTH).to_pylist()[0]
    pool[special] = pool[special][:2]
    records = Records(write_pool(tmp_path / "p", pool, shards=3), annotated(tmp_path / "a", "relsel", job(10_000, 100)))
    judged = Work(kind="judgements", pool="p", queries=(FIFTH,))
    asked = Work(kind="answers", pool="p", queries=(FIFTH,))
    effort = records.effort([judged, asked, stage("relsel", FIFTH)])
    assert (effort.judgements, effort.answers) == (3 + 2, 2)
    assert effort.device_hours == pytest.approx(20 / 3600)


def test_where_all_was_found_in_the_store_the_speed_is_that_of_the_jobs_that_filled_it(tmp_path: Path) -> None:
    earlier = {"tokens": 40_000, "device_seconds": 800}
    stored = [job(0, 0, load=30, earlier=earlier), job(0, 0, load=30, earlier=earlier), job(0, 0, load=30)]
    effort = Records([], annotated(tmp_path, "relsel", *stored)).effort([stage("relsel")])
    assert effort.device_hours == pytest.approx((10_000 / 50 + 90) / 3600)


def test_earlier_jobs_do_not_count_where_the_last_made_something(tmp_path: Path) -> None:
    earlier = {"tokens": 40_000, "device_seconds": 800}
    shards = annotated(tmp_path, "relsel", job(2000, 20), job(0, 0, earlier=earlier))
    assert Records([], shards).effort([stage("relsel")]).device_hours == pytest.approx(10_000 / 100 / 3600)


def test_without_a_job_that_made_something_the_cost_is_not_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shards = [*annotated(tmp_path, "relsel", job(10_000, 100)), *annotated(tmp_path, "answer", job(0, 0, load=9))]
    with caplog.at_level(logging.WARNING):
        effort = Records([], shards).effort([stage("relsel"), stage("answer")])
    assert effort.device_hours is None
    assert effort.usd(Cost()) is None
    assert "stage answer of annotator llm on pool p: the cost is unknown" in caplog.text
    assert "stage relsel" not in caplog.text


def test_a_stage_without_files_is_told(tmp_path: Path) -> None:
    records = Records([], annotated(tmp_path, "relsel", job(10_000, 100)))
    with pytest.raises(InputError, match="no file of stage answer of annotator llm on pool p was given"):
        records.effort([stage("answer")])
