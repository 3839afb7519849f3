"""The scripts, as a rule calls them: the chain of stages, and a shard that is killed half way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import annotate as script
import pytest
from command_line import arguments, write_configuration

from utility_annotation.annotation.names import TRUTH
from utility_annotation.annotation.stages import QUESTION, STAGES
from utility_annotation.common.errors import InputError
from utility_annotation.engines.throughput import Speed, record_speed, recorded_speed
from utility_annotation.io.schemas import ANNOTATION, ANSWERS, POOL
from utility_annotation.labels.cost import Records
from utility_annotation.labels.sources import is_graded, is_measured
from utility_annotation.labels.work import Work
from utility_annotation.settings import Annotator, Sampling

QUERIES = 6
SHARD = "0000-of-0001"
PERFORMANCE: dict[str, Any] = {"annotate": {"batch_tokens": 2000, "device": "cpu"}}
ONE_BY_ONE: dict[str, Any] = {"annotate": {"batch_tokens": 1, "device": "cpu"}}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A pool shard of four candidates a query, and ground-truth answers."""
    write_inputs(tmp_path, range(QUERIES))
    return tmp_path


def write_inputs(folder: Path, queries: range) -> None:
    POOL.write(
        folder / "pool" / f"{SHARD}.parquet",
        POOL.rows(
            [
                {
                    "query_id": f"q{number}",
                    "query": f"question {number}?",
                    "candidates": [
                        {
                            "docid": f"d{number}{letter}",
                            "title": None,
                            "text": f"text {letter} {number}",
                            "human": letter == "a",
                            "rank": rank,
                        }
                        for rank, letter in enumerate("abcd", start=1)
                    ],
                }
                for number in queries
            ]
        ),
    )
    truth = [{"query_id": f"q{number}", "answers": [f"answer {number}"]} for number in queries]
    ANSWERS.write(folder / "truth.parquet", ANSWERS.rows(truth))


def stored_keys(folder: Path) -> list[str]:
    lines = [line for file in (folder / "store").glob("*.jsonl") for line in file.read_bytes().split(b"\n")[:-1]]
    return [json.loads(line)["key"] for line in lines]


def written(folder: Path, stage: str) -> Path:
    """The shard of a stage."""
    return folder / "annotation" / stage / f"{SHARD}.parquet"


def rows_of(folder: Path, stage: str) -> list[dict[str, Any]]:
    return ANNOTATION.read(written(folder, stage)).to_pylist()


def command(
    folder: Path,
    root: Path,
    model: Path,
    settings: Annotator,
    stage: str,
    performance: dict[str, Any] = PERFORMANCE,
    **options: Path,
) -> list[str]:
    """The arguments of annotate.py for the inputs in a folder, in which all that it leaves lies as well."""
    name = f"{stage}.yaml"
    config = write_configuration(folder / name, annotators={"judge": settings}, performance=performance)
    files = {
        "model": model,
        "prompt": root / "resources" / "prompts" / STAGES[stage].way(settings.protocol).template,
        "pool": folder / "pool",
        "truth": folder / "truth.parquet",
        "store": folder / "store",
        "annotation": folder / "annotation",
    }
    return arguments(config=config, stage=stage, annotator="judge", shard=SHARD, **(files | options))


def script_of(root: Path) -> list[str]:
    return [sys.executable, str(root / "workflow" / "scripts" / "annotate.py")]


@pytest.mark.parametrize("protocol", ["listwise", "pointwise"])
def test_chain_of_stages_gives_every_query_its_row(files: Path, root: Path, tiny_model: Path, protocol: str) -> None:
    settings = Annotator(
        model="tiny",
        protocol=protocol,
        precision="fp32",
        sampling=Sampling(max_new_tokens=4 if protocol == "listwise" else 512),
        answer_sampling=Sampling(max_new_tokens=4),
    )

    def run(stage: str) -> list[dict[str, Any]]:
        script.main(command(files, root, tiny_model, settings, stage))
        rows = rows_of(files, stage)
        assert [row["query_id"] for row in rows] == [f"q{number}" for number in range(QUERIES)]
        return rows

    rows_of_stage = {stage: run(stage) for stage in STAGES}
    relsel, answers, utilsel, utilrank, truth, replug, *_ = rows_of_stage.values()
    written = [rows for stage, rows in rows_of_stage.items() if stage.startswith(QUESTION)]
    assert {row["outcome"] for rows in written for row in rows} == {"truncated"}
    graded = {stage: rows for stage, rows in rows_of_stage.items() if is_graded(stage)}
    assert {stage for stage, rows in graded.items() if any(row["scores"] for row in rows)} == (
        set() if protocol == "listwise" else {"umbrela", "utilgrade", "rlhn"}
    )

    for stage in filter(is_measured, STAGES):
        for row, number in zip(rows_of_stage[stage], range(QUERIES), strict=True):
            assert row["docids"] == [f"d{number}{letter}" for letter in "abcd"]
            assert len(row["replies"]) == 5
    assert all(len(row["scores"]) == 4 and row["docids"] is None for row in replug)
    listwise = protocol == "listwise"  # four tokens of an untrained model are no selection
    assert {row["outcome"] for row in relsel} == {"truncated" if listwise else "ok"}
    assert {row["whole_pool"] for row in (*answers, *utilsel, *utilrank)} == {listwise}
    assert {row["whole_pool"] for row in truth} == {False}
    if not listwise:
        for chosen, answer, selected, ranked in zip(relsel, answers, utilsel, utilrank, strict=True):
            assert len(chosen["docids"]) == 2
            assert answer["answer"]
            assert sorted(ranked["docids"]) == sorted(chosen["docids"])
            assert ranked["docids"][: len(selected["docids"])] == selected["docids"]
        for row in truth:
            assert len(row["scores"]) == 4
            scores = {score["docid"]: score["score"] for score in row["scores"]}
            assert set(row["docids"]) == {
                docid for docid, score in scores.items() if score >= max(scores.values()) - settings.pointwise.margin
            }


@pytest.mark.process
@pytest.mark.parametrize(
    ("stage", "requests", "outcome"),
    [("replug", 4, "ok"), ("relsel", 1, "truncated")],
    ids=["while it scores", "while it generates"],
)
def test_shard_killed_half_way_resumes_without_asking_again(
    tmp_path: Path, root: Path, tiny_model: Path, stage: str, requests: int, outcome: str
) -> None:
    queries = 40
    write_inputs(tmp_path, range(queries))
    settings = Annotator(model="tiny", precision="fp32", sampling=Sampling(max_new_tokens=8))
    job = [*script_of(root), *command(tmp_path, root, tiny_model, settings, stage, ONE_BY_ONE)]

    first = subprocess.Popen(job, stderr=subprocess.DEVNULL)
    while len(stored_keys(tmp_path)) < 10 and first.poll() is None:
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    kept = len(stored_keys(tmp_path))
    assert 10 <= kept < requests * queries, "the kill came too late to show anything"
    assert not written(tmp_path, stage).exists()

    second = subprocess.run(job, capture_output=True, text=True, check=True)
    assert f" {kept} from the store" in second.stderr
    assert len(stored_keys(tmp_path)) == len(set(stored_keys(tmp_path))) == requests * queries
    assert {row["outcome"] for row in rows_of(tmp_path, stage)} == {outcome}


@pytest.mark.process
def test_two_jobs_at_once_share_a_store_and_each_has_its_rows(tmp_path: Path, root: Path, tiny_model: Path) -> None:
    """Twenty of the questions are asked by both."""
    settings = Annotator(model="tiny", precision="fp32", sampling=Sampling(max_new_tokens=4))
    jobs = []
    for number, queries in enumerate((range(0, 120), range(100, 220))):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_inputs(folder, queries)
        options = command(folder, root, tiny_model, settings, "relsel", ONE_BY_ONE, store=tmp_path / "store")
        jobs.append(subprocess.Popen([*script_of(root), *options], stderr=subprocess.PIPE, text=True))
    segments: set[Path] = set()
    while all(job.poll() is None for job in jobs):
        segments = {path for path in (tmp_path / "store").glob("*.jsonl") if path.stat().st_size} | segments
        time.sleep(0.01)
    logs = [job.communicate()[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], logs
    assert len(segments) == 2, "they did not run at once"
    for number, queries in enumerate((range(0, 120), range(100, 220))):
        rows = rows_of(tmp_path / str(number), "relsel")
        assert [row["query_id"] for row in rows] == [f"q{query}" for query in queries]
        assert {row["outcome"] for row in rows} == {"truncated"}
    assert len(set(stored_keys(tmp_path))) == 220


def test_other_shards_a_changed_later_prompt_and_a_copied_store_pay_for_nothing_stored(
    tmp_path: Path, root: Path, tiny_model: Path
) -> None:
    settings = Annotator(
        model="tiny",
        precision="fp32",
        sampling=Sampling(max_new_tokens=4),
        answer_sampling=Sampling(max_new_tokens=4),
    )

    def chain(folder: Path, queries: range, **utilsel: Path) -> list[int]:
        """Records added by each of the three stages."""
        write_inputs(folder, queries)
        sizes = [len(stored_keys(folder))]
        for stage, more in (("relsel", {}), ("answer", {}), ("utilsel", utilsel)):
            script.main(command(folder, root, tiny_model, settings, stage, **more))
            sizes.append(len(stored_keys(folder)))
        return [after - before for before, after in pairwise(sizes)]

    one = tmp_path / "one"
    one.mkdir()
    assert chain(one, range(6)) == [6, 6, 6]

    other = tmp_path / "other"
    shutil.copytree(one / "store", other / "store")
    assert chain(other, range(2)) == [0, 0, 0], "the store of another machine"
    assert chain(other, range(2, 6)) == [0, 0, 0], "two shards in place of one"

    changed = tmp_path / "utilsel.j2"
    changed.write_text(
        (root / "resources" / "prompts" / "utilsel.j2").read_text().replace("careful assessor", "strict assessor")
    )
    assert chain(other, range(6), prompt=changed) == [0, 0, 6], "a changed prompt of the last stage"


def test_every_job_leaves_a_summary_of_what_it_did(files: Path, root: Path, tiny_model: Path) -> None:
    settings = Annotator(model="tiny", precision="fp32")
    options = command(files, root, tiny_model, settings, "replug")
    script.main(options)
    first = json.loads(written(files, "replug").with_suffix(".json").read_text())
    script.main(options)
    second = json.loads(written(files, "replug").with_suffix(".json").read_text())
    rows = rows_of(files, "replug")
    assert first["outcomes"] == second["outcomes"] == {"ok": QUERIES}
    assert (first["from_store"], first["made"], first["failed"]) == (0, 4 * QUERIES, 0)
    assert first["prompt_tokens"] == sum(row["prompt_tokens"] for row in rows) > 0
    assert (second["from_store"], second["made"], second["prompt_tokens"]) == (4 * QUERIES, 0, 0)


def test_a_summary_tells_the_engines_time_and_its_gpus(files: Path, root: Path, tiny_model: Path) -> None:
    settings = Annotator(model="tiny", precision="fp32")
    performance = {"annotate": {"device": "cpu", "gpus": 1, "gpus_of": {"judge": 2}}}
    options = command(files, root, tiny_model, settings, "replug", performance)
    script.main(options)
    summary = json.loads(written(files, "replug").with_suffix(".json").read_text())
    assert summary["gpus"] == 2
    assert summary["load_seconds"] > 0
    assert 0 < summary["engine_seconds"] <= summary["seconds"]


def test_the_cost_of_a_stage_outlives_its_job_where_the_store_has_the_speed(
    files: Path, root: Path, tiny_model: Path
) -> None:
    settings = Annotator(model="tiny", precision="fp32")
    options = command(files, root, tiny_model, settings, "replug")
    shard = files / "results" / "pool" / "judge" / "replug" / f"{SHARD}.parquet"
    shard.parent.mkdir(parents=True)
    work = [Work(kind="replug", pool="pool", annotator="judge")]

    def device_hours() -> float | None:
        script.main(options)
        for suffix in (".parquet", ".json"):
            shutil.copy(written(files, "replug").with_suffix(suffix), shard.with_suffix(suffix))
        return Records([], [shard]).effort(work).device_hours

    def summary() -> dict[str, Any]:
        return json.loads(shard.with_suffix(".json").read_text())

    hours, job = device_hours(), summary()
    assert hours == pytest.approx((job["engine_seconds"] + job["load_seconds"]) / 3600, rel=1e-3)
    again, later = device_hours(), summary()
    assert (later["made"], later["engine_seconds"] < job["engine_seconds"]) == (0, True)
    assert again == pytest.approx((job["engine_seconds"] + later["load_seconds"]) / 3600, rel=1e-3)
    shutil.rmtree(files / "store" / "speeds")
    assert device_hours() is None


@pytest.mark.parametrize("content", ["", "[]", '{"tokens": 3}', '{"tokens": "x", "device_seconds": 1}'])
def test_a_damaged_record_of_speed_is_named(tmp_path: Path, content: str) -> None:
    record_speed(tmp_path, "relsel", Speed(100, 2.0))
    assert recorded_speed(tmp_path, "relsel") == Speed(100, 2.0)
    (tmp_path / "speeds" / "relsel" / "bad.json").write_text(content)
    with pytest.raises(InputError, match=r"bad\.json: this record of an engine's speed is damaged\. Fix: delete"):
        recorded_speed(tmp_path, "relsel")


@pytest.mark.process
def test_missing_model_folder_is_one_line_that_says_what_to_do(files: Path, root: Path) -> None:
    options = command(files, root, files / "nowhere", Annotator(model="tiny"), "relsel")
    ended = subprocess.run([*script_of(root), *options], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"error: {files / 'nowhere'}: ")
    assert not written(files, "relsel").exists()


@pytest.mark.parametrize("stage", [name for name, entry in STAGES.items() if TRUTH in entry.reads])
def test_a_stage_that_is_given_the_truth_asks_for_it(files: Path, root: Path, tiny_model: Path, stage: str) -> None:
    options = command(files, root, tiny_model, Annotator(model="tiny", precision="fp32"), stage)
    place = options.index("--truth")
    with pytest.raises(InputError, match=rf"stage {stage} is given the ground-truth answers\. Fix: .*--truth"):
        script.main([*options[:place], *options[place + 2 :]])
