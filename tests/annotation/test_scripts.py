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

import annotate_answer
import annotate_relsel
import annotate_replug
import annotate_utilrank
import annotate_utilsel
import annotate_utilsel_truth
import pytest

from utility_annotation.annotation.templates import template_name
from utility_annotation.common.errors import InputError
from utility_annotation.engines.throughput import Speed, record_speed, recorded_speed
from utility_annotation.io.schemas import ANNOTATION, ANSWERS, POOL
from utility_annotation.labels.cost import Records
from utility_annotation.labels.work import Work
from utility_annotation.settings import Annotator, Pointwise, Sampling, canonical

QUERIES = 6
PERFORMANCE = json.dumps({"annotate": {"batch_tokens": 2000, "device": "cpu"}})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A pool shard of four candidates a query, and ground-truth answers."""
    write_inputs(tmp_path, range(QUERIES))
    return tmp_path


def write_inputs(folder: Path, queries: range) -> None:
    POOL.write(
        folder / "pool.parquet",
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
                            "human": False,
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


def arguments(folder: Path, root: Path, model: Path, settings: Annotator, output: str, **inputs: str) -> list[str]:
    options = {
        "settings": canonical(settings),
        "performance": PERFORMANCE,
        "model": model,
        "pool": folder / "pool.parquet",
        "prompt": root / "resources" / "prompts" / template_name(Path(output).stem, settings.protocol),
        "store": folder / "store",
        "output": folder / output,
        "summary": folder / output.replace(".parquet", ".json"),
        **{name: folder / file for name, file in inputs.items()},
    }
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.mark.parametrize("protocol", ["listwise", "pointwise"])
def test_chain_of_stages_gives_every_query_its_row(files: Path, root: Path, tiny_model: Path, protocol: str) -> None:
    settings = Annotator(
        model="tiny",
        protocol=protocol,
        precision="fp32",
        sampling=Sampling(max_new_tokens=4),
        answer_sampling=Sampling(max_new_tokens=4),
        pointwise=Pointwise(relevant_percent=50),
    )

    def run(script, output: str, **inputs: str) -> list[dict]:
        script.main(arguments(files, root, tiny_model, settings, output, **inputs))
        rows = ANNOTATION.read(files / output).to_pylist()
        assert [row["query_id"] for row in rows] == [f"q{number}" for number in range(QUERIES)]
        return rows

    relsel = run(annotate_relsel, "relsel.parquet")
    answers = run(annotate_answer, "answer.parquet", relsel="relsel.parquet")
    former = {"relsel": "relsel.parquet", "answers": "answer.parquet"}
    utilsel = run(annotate_utilsel, "utilsel.parquet", **former)
    utilrank = run(annotate_utilrank, "utilrank.parquet", **former)
    replug = run(annotate_replug, "replug.parquet", truth="truth.parquet")
    truth = run(annotate_utilsel_truth, "utilsel-truth.parquet", truth="truth.parquet")

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
            assert set(row["docids"]) == {score["docid"] for score in row["scores"] if score["score"] > 0}


@pytest.mark.parametrize(
    ("stage", "inputs", "requests", "outcome"),
    [("replug", {"truth": "truth.parquet"}, 4, "ok"), ("relsel", {}, 1, "truncated")],
    ids=["while it scores", "while it generates"],
)
def test_shard_killed_half_way_resumes_without_asking_again(
    tmp_path: Path, root: Path, tiny_model: Path, stage: str, inputs: dict[str, str], requests: int, outcome: str
) -> None:
    queries = 40
    write_inputs(tmp_path, range(queries))
    settings = Annotator(model="tiny", precision="fp32", sampling=Sampling(max_new_tokens=8))
    command = [
        sys.executable,
        str(root / "workflow" / "scripts" / f"annotate_{stage}.py"),
        *arguments(tmp_path, root, tiny_model, settings, f"{stage}.parquet", **inputs),
        "--performance",
        json.dumps({"annotate": {"batch_tokens": 1, "device": "cpu"}}),
    ]

    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while len(stored_keys(tmp_path)) < 10 and first.poll() is None:
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    kept = len(stored_keys(tmp_path))
    assert 10 <= kept < requests * queries, "the kill came too late to show anything"
    assert not (tmp_path / f"{stage}.parquet").exists()

    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"({kept} from the store)" in second.stderr
    assert len(stored_keys(tmp_path)) == len(set(stored_keys(tmp_path))) == requests * queries
    assert {row["outcome"] for row in ANNOTATION.read(tmp_path / f"{stage}.parquet").to_pylist()} == {outcome}


def test_two_jobs_at_once_share_a_store_and_each_has_its_rows(tmp_path: Path, root: Path, tiny_model: Path) -> None:
    """Twenty of the questions are asked by both."""
    settings = Annotator(model="tiny", precision="fp32", sampling=Sampling(max_new_tokens=4))
    script = str(root / "workflow" / "scripts" / "annotate_relsel.py")
    jobs = []
    for number, queries in enumerate((range(0, 120), range(100, 220))):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_inputs(folder, queries)
        command = [sys.executable, script, *arguments(folder, root, tiny_model, settings, "relsel.parquet")]
        command += ["--store", str(tmp_path / "store"), "--performance"]
        command += [json.dumps({"threads": 1, "annotate": {"batch_tokens": 1, "device": "cpu"}})]
        jobs.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    segments: set[Path] = set()
    while all(job.poll() is None for job in jobs):
        segments = {path for path in (tmp_path / "store").glob("*.jsonl") if path.stat().st_size} | segments
        time.sleep(0.01)
    logs = [job.communicate()[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], logs
    assert len(segments) == 2, "they did not run at once"
    for number, queries in enumerate((range(0, 120), range(100, 220))):
        rows = ANNOTATION.read(tmp_path / str(number) / "relsel.parquet").to_pylist()
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
    former = {"relsel": "relsel.parquet", "answers": "answer.parquet"}

    def chain(folder: Path, queries: range, *utilsel: str) -> list[int]:
        """Records added by each of the three stages."""
        write_inputs(folder, queries)
        sizes = [len(stored_keys(folder))]
        for script, output, inputs, more in (
            (annotate_relsel, "relsel.parquet", {}, ()),
            (annotate_answer, "answer.parquet", {"relsel": "relsel.parquet"}, ()),
            (annotate_utilsel, "utilsel.parquet", former, utilsel),
        ):
            script.main([*arguments(folder, root, tiny_model, settings, output, **inputs), *more])
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
    assert chain(other, range(6), "--prompt", str(changed)) == [0, 0, 6], "a changed prompt of the last stage"


def test_every_job_leaves_a_summary_of_what_it_did(files: Path, root: Path, tiny_model: Path) -> None:
    settings = Annotator(model="tiny", precision="fp32")
    command = arguments(files, root, tiny_model, settings, "replug.parquet", truth="truth.parquet")
    annotate_replug.main(command)
    first = json.loads((files / "replug.json").read_text())
    annotate_replug.main(command)
    second = json.loads((files / "replug.json").read_text())
    rows = ANNOTATION.read(files / "replug.parquet").to_pylist()
    assert first["outcomes"] == second["outcomes"] == {"ok": QUERIES}
    assert (first["from_store"], first["made"], first["failed"]) == (0, 4 * QUERIES, 0)
    assert first["prompt_tokens"] == sum(row["prompt_tokens"] for row in rows) > 0
    assert (second["from_store"], second["made"], second["prompt_tokens"]) == (4 * QUERIES, 0, 0)


def test_a_summary_tells_the_engines_time_and_its_gpus(files: Path, root: Path, tiny_model: Path) -> None:
    settings = Annotator(model="tiny", precision="fp32")
    command = arguments(files, root, tiny_model, settings, "replug.parquet", truth="truth.parquet")
    command += ["--performance", json.dumps({"annotate": {"device": "cpu", "gpus": 2}})]
    annotate_replug.main(command)
    summary = json.loads((files / "replug.json").read_text())
    assert summary["gpus"] == 2
    assert summary["load_seconds"] > 0
    assert 0 < summary["engine_seconds"] <= summary["seconds"]


def test_the_cost_of_a_stage_outlives_its_job_where_the_store_has_the_speed(
    files: Path, root: Path, tiny_model: Path
) -> None:
    settings = Annotator(model="tiny", precision="fp32")
    command = arguments(files, root, tiny_model, settings, "replug.parquet", truth="truth.parquet")
    shard = files / "pool" / "judge" / "replug" / "0000-of-0001.parquet"
    shard.parent.mkdir(parents=True)
    work = [Work(kind="replug", pool="pool", annotator="judge")]

    def device_hours() -> float | None:
        annotate_replug.main(command)
        for suffix in (".parquet", ".json"):
            shutil.copy(files / f"replug{suffix}", shard.with_suffix(suffix))
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
    with pytest.raises(InputError, match=r"bad\.json: this record of an engine's speed is damaged\. Fix: remove"):
        recorded_speed(tmp_path, "relsel")


def test_missing_model_folder_is_one_line_that_says_what_to_do(files: Path, root: Path) -> None:
    command = [sys.executable, str(root / "workflow" / "scripts" / "annotate_relsel.py")]
    settings = Annotator(model="tiny")
    wrong = arguments(files, root, files / "nowhere", settings, "replug.parquet")
    ended = subprocess.run([*command, *wrong], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"error: {files / 'nowhere'}: ")
    assert not (files / "replug.parquet").exists()
