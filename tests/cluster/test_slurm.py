"""profiles/slurm on a real SLURM of one node: a whole run, what SLURM is asked for, and jobs that are killed."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import local_slurm
import pytest
import yaml
from scripted_server import Answer, Received, ScriptedServer, chat_answer
from workflow_copy import QUESTIONS, copy_of_repository, environment, fast_environment, shorten_texts, shrink_demo

pytestmark = pytest.mark.cluster

TARGETS = ("results/tables/retrieval.csv", "results/labels/utilrank.parquet")
"""Of the whole run: every stage of a shard, and a row of a table. Each further job costs as much as these."""

PATIENCE = 480
"""Seconds to wait for something that takes some ten seconds on an idle machine."""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A running SLURM."""
    if reason := local_slurm.why_not():
        pytest.skip(reason)
    with local_slurm.running(tmp_path_factory.mktemp("slurm")):
        yield


def command(*arguments: str) -> list[str]:
    """Snakemake with the profile, asking for the state of jobs more often than becomes a cluster of many users."""
    often = ("--slurm-init-seconds-before-status-checks", "2")
    return [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *often, *arguments]


def run(
    folder: Path, *arguments: str, having: Callable[[], dict[str, str]] = environment
) -> subprocess.CompletedProcess[str]:
    """Run the workflow on the cluster and wait for it."""
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, env=having())


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Run the workflow on the cluster without waiting; what it prints is in ``snakemake.log``."""
    with (folder / "snakemake.log").open("wb") as log:
        return subprocess.Popen(
            command(*arguments), cwd=folder, stdout=log, stderr=log, env=environment(), preexec_fn=heed_interrupts
        )


def heed_interrupts() -> None:
    """Let Ctrl-C have its effect, which it has not where the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finished(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until it ends well."""
    assert process.wait(PATIENCE) == 0, (folder / "snakemake.log").read_text()[-6000:]


def wait_for(what: Callable[[], Any]) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return answer


def jobs(folder: Path, rule: str = "") -> list[dict[str, str]]:
    """What SLURM knows of the jobs of a rule (of all), in the order in which they were submitted."""
    shown = subprocess.run(["scontrol", "-o", "-d", "show", "job"], capture_output=True, text=True, check=True)
    known = (dict(re.findall(r"(\S+?)=(\S*)", line)) for line in shown.stdout.splitlines())
    own = [job for job in known if job.get("WorkDir") == str(folder) and f"rule_{rule}" in job.get("Comment", "")]
    return sorted(own, key=lambda job: int(job["JobId"]))


def configure(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the demo's configuration."""
    path = folder / "config" / "config.yaml"
    configuration = yaml.safe_load(path.read_text())
    change(configuration)
    path.write_text(yaml.safe_dump(configuration))


def small_demo(root: Path, folder: Path) -> Path:
    """The demo, cut to a few questions and passages, whose pool is one shard."""
    shrink_demo(copy_of_repository(root, folder))
    shutil.copy(root / "Makefile", folder)
    configure(folder, lambda configuration: configuration["pools"]["demo-train"].update(shards=1, size=5))
    return folder


@pytest.fixture(scope="module")
def done(root: Path, tmp_path_factory: pytest.TempPathFactory, slurm: None) -> Path:
    """A folder in which a small demo was run from raw files to a table: a shard on one GPU, a training on two."""
    folder = small_demo(root, tmp_path_factory.mktemp("whole"))

    def cut(configuration: dict[str, Any]) -> None:
        configuration["pools"]["demo-train"]["shards"] = 2
        configuration["labels"] = {name: configuration["labels"][name] for name in ("utilsel", "utilrank")}
        configuration["trainings"] = {"utilsel": configuration["trainings"]["utilsel"] | {"epochs": 1, "seeds": []}}
        configuration["tables"]["retrieval"].update(groups=[{"trainings": ["utilsel"]}], baseline=None, verdict=None)
        gpus = {"annotate": 1, "train": 2, "encode": 1}  # of SLURM's, which has no real ones here
        configuration["performance"] |= {job: {"gpus": number, "device": "cpu"} for job, number in gpus.items()}
        shorten_texts(configuration)

    configure(folder, cut)
    result = run(folder, *TARGETS, "--set-resources", "train:gpu_model=h100", having=fast_environment)
    assert result.returncode == 0, result.stderr[-6000:] + result.stdout[-2000:]
    return folder


def test_the_table_is_made(done: Path) -> None:
    with (done / "results" / "tables" / "retrieval.csv").open() as table:
        values = {(row["training"], row["metric"]): float(row["value"]) for row in csv.DictReader(table)}
    assert values.keys() == set(product(("bm25", "utilsel"), ("mrr@10", "ndcg@10", "recall@100")))


def test_every_job_ended_well(done: Path) -> None:
    assert Counter(job["JobState"] for job in jobs(done)).keys() == {"COMPLETED"}


def test_the_stages_of_a_shard_are_one_job_on_one_gpu(done: Path) -> None:
    shards = jobs(done, "annotate")
    assert len(shards) == 2
    for job in shards:
        assert all(stage in job["Comment"] for stage in ("relsel", "answer", "utilsel", "utilrank"))
        assert job["TresPerJob"] == "gres:gpu:1"
        assert job["JOB_GRES"] == "gpu:h100:1"
        assert job["Partition"] == "gpu"
        assert job["TimeLimit"] == "00:40:00", "the least time of each stage, one after the other"


def test_shards_are_submitted_side_by_side(done: Path) -> None:
    first, second = jobs(done, "annotate")
    assert second["SubmitTime"] < first["EndTime"]
    assert second["StartTime"] < first["EndTime"], "each on a GPU of its own"


def test_a_training_uses_the_gpus_that_it_asked_for(done: Path) -> None:
    (training,) = jobs(done, "train")
    asked = [training[key] for key in ("TresPerJob", "NumCPUs", "NumNodes", "MinMemoryNode")]
    assert asked == ["gres:gpu:h100:2", "2", "1", "20000M"]
    (record,) = (done / "results" / "models").rglob("training.json")
    assert json.loads(record.read_text())["processes"] == 2


def test_a_rule_without_gpu_goes_to_another_partition(done: Path) -> None:
    (merging, *_) = jobs(done, "merge_labels")
    assert merging["Partition"] == "cpu"
    assert "TresPerJob" not in merging


def test_a_job_that_runs_out_of_memory_gets_more(root: Path, tmp_path: Path, slurm: None) -> None:
    folder = small_demo(root, tmp_path)
    little = "merge_labels:mem_mb=150 if attempt == 1 else 4000"
    result = run(folder, "results/labels/human.parquet", "--set-resources", little)
    assert result.returncode == 0, result.stderr[-6000:]
    first, second = jobs(folder, "merge_labels")
    assert first["JobState"] in ("FAILED", "OUT_OF_MEMORY")
    assert first["MinMemoryNode"] == "150M"
    assert "Exceeded job memory limit" in Path(first["StdOut"]).read_text()
    assert (second["JobState"], second["MinMemoryNode"]) == ("COMPLETED", "4000M")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("02:00:00", "04:00:00"), "and more time"


@pytest.mark.slow  # on a busy machine its three jobs outlast the time that the test waits
def test_a_training_goes_on_after_scancel_and_after_its_wall_time(root: Path, tmp_path: Path, slurm: None) -> None:
    folder = small_demo(root, tmp_path)
    epochs, batch = 6, 2

    def long(configuration: dict[str, Any]) -> None:
        configuration["trainings"] = {
            "human": configuration["trainings"]["human"] | {"epochs": epochs, "global_batch_size": batch}
        }
        configuration["tables"] = {}
        configuration["performance"]["train"] = {"checkpoint_steps": 2, "log_steps": 1}

    def checkpoint() -> int:
        """The step of the last checkpoint."""
        return max((int(path.name[5:]) for path in (folder / "results/checkpoints").glob("*/*/*/step-*")), default=0)

    configure(folder, long)
    process = start(folder, "results/models/minilm/human", "--set-resources", "train:runtime=1 if attempt == 2 else 60")
    wait_for(checkpoint)
    subprocess.run(["scancel", jobs(folder, "train")[0]["JobId"]], check=True)
    wait_for(lambda: len(jobs(folder, "train")) == 2)
    cancelled_after = checkpoint()
    wait_for(lambda: checkpoint() > cancelled_after)
    _stop_until_its_time_is_over(folder, "train.py")
    timed_out_after = checkpoint()
    finished(process, folder)

    states = [(job["JobState"], job["TimeLimit"]) for job in jobs(folder, "train")]
    assert states == [("CANCELLED", "01:00:00"), ("TIMEOUT", "00:01:00"), ("COMPLETED", "01:00:00")]
    assert [job["MinMemoryNode"] for job in jobs(folder, "train")] == ["16000M", "32000M", "48000M"]
    assert f"resuming after step {timed_out_after}" in (folder / "logs" / "train" / "minilm-human.log").read_text()
    record = json.loads((folder / "results" / "models" / "minilm" / "human" / "training.json").read_text())
    assert [step for step, *_ in record["curve"]] == list(range(1, epochs * QUESTIONS // batch + 1))
    assert not (folder / "results" / "checkpoints" / "minilm" / "human").exists()


def _stop_until_its_time_is_over(folder: Path, script: str) -> None:
    """Stop a job's script, so that it is at work when its wall time is over, whatever the speed of the machine."""
    found = subprocess.run(["pgrep", "-f", f"^python workflow/scripts/{script}"], capture_output=True, text=True)
    (process,) = (int(pid) for pid in found.stdout.split() if Path(f"/proc/{pid}/cwd").resolve() == folder)
    os.kill(process, signal.SIGSTOP)
    wait_for(lambda: not Path(f"/proc/{process}").exists())


def judged_by(folder: Path, server: ScriptedServer) -> str:
    """Let an LLM on a server judge the questions, one request at a time; returns the target."""

    def hosted(configuration: dict[str, Any]) -> None:
        configuration["annotators"]["hosted"] = {"engine": "openai", "served_model_name": "served"}
        configuration["performance"]["annotate"] = {"gpus": 1, "server": {"url": server.url, "concurrency": 1}}

    configure(folder, hosted)
    return "results/annotation/demo-train/hosted/relsel/0000-of-0001.parquet"


def hangs_once(number: int) -> Callable[[Received], Answer]:
    """A server that never answers one of its requests, the so-manieth, before it comes again."""
    asked = 0

    def script(received: Received) -> Answer:
        nonlocal asked
        asked += 1
        return Answer(seconds=3600) if asked == number else chat_answer()

    return script


def how_often_asked(server: ScriptedServer) -> list[int]:
    """How often each prompt was sent, in the order in which they came first."""
    return list(Counter(request.body["messages"][-1]["content"] for request in server.received).values())


def test_shards_that_share_a_job_share_its_gpu_stage_by_stage(root: Path, tmp_path: Path, slurm: None) -> None:
    folder = small_demo(root, tmp_path)
    with ScriptedServer(lambda received: replace(chat_answer(), seconds=0.2)) as server:
        first = judged_by(folder, server)
        configure(folder, lambda configuration: configuration["pools"]["demo-train"].update(shards=2))
        shards = [
            first.replace("relsel/0000-of-0001", f"{stage}/{shard}")
            for stage in ("utilsel", "utilrank")
            for shard in ("0000-of-0002", "0001-of-0002")
        ]
        result = run(folder, *shards, "--group-components", "annotate=2")
        assert result.returncode == 0, result.stderr[-6000:]
        assert server.most_at_once == 1, "two engines at a time would not fit the GPU"
    assert all((folder / shard).is_file() for shard in shards)
    (job,) = jobs(folder, "annotate")
    assert "TresPerJob" not in job, "a server has the GPU"
    assert job["TimeLimit"] == "1-04:00:00", "one after the other"


def test_an_annotation_that_hits_its_wall_time_pays_for_nothing_twice(root: Path, tmp_path: Path, slurm: None) -> None:
    folder = small_demo(root, tmp_path)
    with ScriptedServer(hangs_once(4)) as server:
        target = judged_by(folder, server)
        result = run(folder, target, "--set-resources", "annotate_relsel:runtime=1 if attempt == 1 else 60")
        assert result.returncode == 0, result.stderr[-6000:]
        assert how_often_asked(server) == [1, 1, 1, 2, 1, 1, 1, 1], "only what was under way is asked for again"
    assert [job["JobState"] for job in jobs(folder, "annotate")] == ["TIMEOUT", "COMPLETED"]


def test_a_run_whose_snakemake_was_killed_is_taken_up_without_a_second_writer(
    root: Path, tmp_path: Path, slurm: None
) -> None:
    folder = small_demo(root, tmp_path)
    with ScriptedServer(hangs_once(4)) as server:
        target = judged_by(folder, server)
        process = start(folder, target)
        wait_for(lambda: len(server.received) == 4)
        process.kill()
        process.wait()
        (left,) = (job["JobId"] for job in jobs(folder) if job["JobState"] == "RUNNING")

        locked = run(folder, target)
        assert locked.returncode != 0
        assert "--unlock" in locked.stderr
        assert run(folder, "--unlock").returncode == 0

        refused = run(folder, target)
        assert refused.returncode != 0
        assert f"1 SLURM jobs of an earlier run in this folder are not finished: {left}." in refused.stderr
        assert "make cluster-cancel" in refused.stderr
        assert len(jobs(folder, "annotate")) == 1, "nothing was submitted beside it"

        make = ["make", "-o", ".venv/core.stamp", "cluster-cancel"]
        cancelled = subprocess.run(make, cwd=folder, capture_output=True, text=True, env=environment())
        assert cancelled.returncode == 0, cancelled.stderr
        assert f"1 jobs cancelled: {left}" in cancelled.stderr

        again = run(folder, target)
        assert again.returncode == 0, again.stderr[-6000:]
        assert how_often_asked(server) == [1, 1, 1, 2, 1, 1, 1, 1], "only what was under way is asked for again"
    first, second = jobs(folder, "annotate")
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert first["EndTime"] <= second["StartTime"]


def test_an_interrupted_snakemake_cancels_its_jobs_and_goes_on_later(root: Path, tmp_path: Path, slurm: None) -> None:
    folder = small_demo(root, tmp_path)
    with ScriptedServer(hangs_once(4)) as server:
        target = judged_by(folder, server)
        process = start(folder, target)
        wait_for(lambda: len(server.received) == 4)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) != 0
        wait_for(lambda: jobs(folder, "annotate")[0]["JobState"] == "CANCELLED")
        again = run(folder, target)
        assert again.returncode == 0, again.stderr[-6000:]
        assert how_often_asked(server) == [1, 1, 1, 2, 1, 1, 1, 1], "only what was under way is asked for again"


def test_a_check_compares_what_jobs_ask_for_with_the_partitions_and_submits_nothing(
    root: Path, tmp_path: Path, slurm: None
) -> None:
    folder = small_demo(root, tmp_path)

    def on_gpus(number: int) -> Callable[[dict[str, Any]], None]:
        gpus = {"train": {"gpus": number}, "annotate": {"gpus": 1}}
        return lambda configuration: configuration["performance"].update(gpus)

    configure(folder, on_gpus(2))
    fitting = run(folder, "check", "results/models/minilm/human")
    assert fitting.returncode == 0, fitting.stdout + fitting.stderr
    assert re.search(r"^SLURM +ready +every job fits a partition$", fitting.stdout, re.MULTILINE)
    assert "jobs ask for 2 GPUs, on other nodes" in fitting.stdout

    configure(folder, on_gpus(4))
    too_many = run(folder, "check", "results/models/minilm/human")
    assert too_many.returncode == 1
    unwrapped = " ".join(too_many.stdout.split())
    assert "jobs train not ready asks too much of partition gpu: 4 GPUs of 2 Fix: " in unwrapped
    assert too_many.stdout.splitlines()[-1].startswith("1 of ")

    nowhere = run(folder, "check", "results/models/minilm/human", "--set-resources", "train:runtime=3000")
    words = r"jobs train not ready fits no partition of the profile.*cpu"
    assert re.search(words, " ".join(nowhere.stdout.split()))

    target = "results/annotation/demo-train/smollm2/utilsel/0000-of-0001.parquet"
    stages = [f"annotate_{stage}" for stage in ("relsel", "answer", "utilsel")]
    long = [f"{rule}:{value}" for rule in stages for value in ("runtime=1500", "slurm_partition=gpu")]
    together = run(folder, "check", target, "--set-resources", *long)
    words = "jobs annotate not ready asks too much of partition gpu: 4,500 minutes of 2,880 Fix: "
    assert words in " ".join(together.stdout.split()), "the times of a group add up"

    (folder / "profiles/slurm/partitions.yaml").write_text("partitions: {h100: {max_gpu: 8}}")
    strange = run(folder, "check", "results/models/minilm/human")
    assert "partition h100 not ready SLURM has none of this name; it has cpu, gpu" in " ".join(strange.stdout.split())
    assert not jobs(folder)


def test_only_jobs_that_snakemake_submitted_from_a_folder_are_its_own(root: Path, tmp_path: Path, slurm: None) -> None:
    run_id = "0f8fad5b-d9cb-469f-a165-70867728950e"
    other = tmp_path / "other"
    other.mkdir()

    def submit(name: str, folder: Path) -> str:
        sleeping = ["sbatch", "--parsable", "--mem=100", f"--job-name={name}", f"--chdir={folder}", "--wrap=sleep 600"]
        return subprocess.run(sleeping, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.strip()

    own = [submit(run_id, tmp_path), submit(f"prefix_{run_id}", tmp_path)]
    others = [submit("driver", tmp_path), submit(run_id, other)]
    script = [sys.executable, root / "workflow" / "scripts" / "cluster_jobs.py"]
    listed = subprocess.run([*script, "list"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sorted(listed.stdout.split()) == sorted(own)
    subprocess.run([*script, "cancel"], cwd=tmp_path, check=True)
    queued = subprocess.run(["squeue", "--noheader", "--format=%i"], capture_output=True, text=True, check=True)
    assert set(queued.stdout.split()) & {*own, *others} == set(others)
    subprocess.run(["scancel", *others], check=True)
