"""Interpreters, GPUs and disks of this machine."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants
from plans import job, run

from utility_annotation.readiness import checks, machine
from utility_annotation.readiness.cluster import Partition
from utility_annotation.readiness.rows import Row
from utility_annotation.readiness.run import Later

LLM = {
    "models": {"qwen": {"hub": "Qwen/Qwen3-32B"}},
    "annotators": {"judge": {"model": "qwen", "engine": "vllm"}},
    "performance": {"annotate": {"gpus": 1}},
}
ANNOTATION = job("annotate_relsel", annotator="judge", pool="pool", gpus=1)


# --- GPUs -----


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets this machine have GPUs of so many MiB, as far as `nvidia-smi` tells."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def have(*mebibytes: int) -> None:
        lines = "".join(f"echo 'NVIDIA H100, {size}, 580.65.06'\n" for size in mebibytes)
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}")
        (tmp_path / "nvidia-smi").chmod(0o755)

    return have


def test_a_run_without_gpus_has_no_row_of_them(nvidia_smi: Callable[..., None]) -> None:
    assert not list(machine.gpus(run(job("train"), sections={})))


@pytest.mark.process
def test_a_machine_with_fewer_gpus_than_jobs_ask_for_is_not_ready(nvidia_smi: Callable[..., None]) -> None:
    two = run(job("train", gpus=2), sections={})
    (none,) = machine.gpus(two)
    assert (none.state, none.about) == ("not ready", "jobs ask for 2 GPUs, and `nvidia-smi` finds none here")
    nvidia_smi(80000)
    (one,) = machine.gpus(two)
    assert (one.state, one.about) == ("not ready", "jobs ask for 2 GPUs, and this machine has 1 (NVIDIA H100)")
    nvidia_smi(80000, 80000)
    (both,) = machine.gpus(two)
    assert (both.state, both.about) == ("ready", "2 NVIDIA H100, driver 580.65.06")


@pytest.mark.process
def test_a_node_without_gpus_is_not_blamed_on_a_cluster(nvidia_smi: Callable[..., None]) -> None:
    submitted = run(job("train", gpus=2), sections={}, submits=True)
    login_node = run(job("train", gpus=2), sections={}, partitions=[Partition("gpu", gpus=8)])
    for each in (submitted, login_node):
        assert [row.state for row in machine.gpus(each)] == ["not looked at"]


@pytest.mark.process
def test_a_model_that_does_not_fit_is_not_ready(nvidia_smi: Callable[..., None]) -> None:
    sections = LLM | {"models": {"qwen": {"hub": "Qwen/Qwen3-32B"}}}
    answering = job("generate_answers", generator="judge", gpus=1)
    nvidia_smi(40960)
    _, row = machine.gpus(run(answering, sections=sections))
    assert (row.state, row.about) == ("not ready", "65.5 GB of 38.7 GB on 1 GPU")
    assert "`performance.annotate.gpus_of.judge`" in row.fix
    nvidia_smi(143771)
    _, row = machine.gpus(run(answering, sections=sections))
    assert row.state == "ready"


@pytest.mark.process
def test_the_cache_of_a_reply_counts_with_the_weights(nvidia_smi: Callable[..., None]) -> None:
    sections = LLM | {"pools": {"pool": {"dataset": "data", "source": {"path": "rows.jsonl"}, "size": 30}}}
    nvidia_smi(80000)
    annotation = run(ANNOTATION, sections=sections)
    annotation.workloads.sizes.pool = lambda name: SimpleNamespace(  # type: ignore[method-assign]
        candidates=30, items=machine_items(30)
    )
    _, row = machine.gpus(annotation)
    needed = float(row.about.split(" GB")[0])
    assert needed > 65.5 + 0.5, "30 passages of 100 words and more, of 262,144 bytes a token"


def machine_items(passages: int) -> tuple[object, ...]:
    """A question with so many passages."""
    from utility_annotation.audit.sizes import _stand_ins

    return _stand_ins(passages, 8, 100)


# --- Interpreters -----


def interpreters(python: str, **facts: object) -> list[Row]:
    sections = LLM | {"performance": {"annotate": {"gpus": 1, "python": python}}}
    planned = run(ANNOTATION, sections=sections, **facts)
    found = list(machine.interpreters(planned))
    return [row for each in found for row in (each.look() if isinstance(each, Later) else [each])]


@pytest.mark.process
def test_an_interpreter_tells_what_it_imports() -> None:
    row, _ = interpreters("no-such-python")
    assert row.name == "of jobs"
    assert row.state == "ready"
    assert "torch 2." in row.about


@pytest.mark.process
def test_an_interpreter_that_is_not_there_is_not_ready() -> None:
    _, row = interpreters("no-such-python")
    assert (row.state, row.about) == ("not ready", "there is no interpreter no-such-python")
    assert "`performance.annotate.python`" in row.fix


@pytest.mark.process
def test_a_vllm_that_is_found_and_cannot_be_imported_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "vllm"
    broken.mkdir()
    (broken / "__init__.py").touch()
    (broken / "entrypoints.py").write_text("raise ImportError('libcudart.so.13: cannot open shared object file')")
    python = tmp_path / "python-with-vllm"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}:$PYTHONPATH" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    _, row = interpreters(str(python))
    assert row.state == "not ready"
    assert "libcudart.so.13" in row.about
    assert "envs/vllm.txt" in row.fix


@pytest.mark.vllm
def test_vllm_itself_is_imported(vllm_python: Path) -> None:
    _, row = interpreters(str(vllm_python))
    assert row.state == "ready"
    assert re.match(rf"{vllm_python}: vllm [\d.]+, torch [\d.]+", row.about)


def test_environments_that_conda_makes_are_not_looked_at_and_need_conda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [row.about for row in interpreters("python", conda=True)] == [
        "there is no conda, which is to make its environment"
    ] * 2
    (tmp_path / "conda").touch(0o755)
    assert [row.state for row in interpreters("python", conda=True)] == ["not looked at"] * 2


# --- Disks -----


def writing(size: float, **facts: object) -> Row:
    planned = run(job("train", "results/models/m"), sections={}, **facts)
    planned.__dict__["estimates"] = [
        SimpleNamespace(job=planned.jobs[0], bytes=(size,), stored=0, unknown="", temporary_files={})
    ]  # type: ignore[index]
    (row,) = machine.disks(planned)
    return row


def test_a_disk_with_room_is_ready_and_a_full_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    free = shutil.disk_usage(tmp_path).free
    assert writing(free / 2).state == "ready"
    full = writing(free * 2)
    assert (full.name, full.state) == ("of results", "not ready")
    assert "ln -s" in full.fix


def test_a_run_without_a_plan_tells_each_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = checks.look(run(jobs=None, sections={}, conda=True))
    missing = [row.name for row in rows if row.kind == "file"]
    assert missing == ["corpus.jsonl", "queries.jsonl", "qrels.txt", "answers.jsonl", "rows.jsonl"]
    assert [row.state for row in rows if row.kind in ("plan", "disk")] == ["not ready", "not looked at"]


def test_a_setting_that_a_check_cannot_use_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sections = {
        "annotators": {"hosted": {"engine": "openai", "served_model_name": "llm"}},
        "performance": {"annotate": {"server": {"url": "ftp://host/v1"}}},
    }
    rows = checks.look(run(jobs=None, sections=sections, conda=True))
    (row,) = [row for row in rows if row.kind == "servers"]
    assert (row.state, row.about) == ("not ready", "'ftp://host/v1' is not the URL of a server")


def test_models_of_the_hub_are_counted_where_its_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    prepared = job("prepare_model", "data/models/qwen", model="qwen")
    (row,) = machine.disks(run(prepared, sections=LLM))
    assert row.name == f"of {tmp_path}/cache"
    assert row.about.startswith("65.5 GB needed, ")
