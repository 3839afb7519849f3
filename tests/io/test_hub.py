"""What is fetched from a hub over HTTP, and the error if it refuses a model."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import local_hub
import pytest
import torch
from command_line import arguments, write_configuration
from local_hub import hub, hub_of
from safetensors.torch import load_file
from tiny_bert import save_tiny_bert

MODEL = {"hub": "someone/no-model", "revision": "v9"}


def run(root: Path, folder: Path, model: Mapping[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `prepare.py model`, with a cache of its own."""
    config = write_configuration(folder / "config.yaml", models={"bert": model})
    return subprocess.run(
        [
            *(sys.executable, root / "workflow/scripts/prepare.py"),
            *arguments("model", config=config, model="bert", output=folder / "bert"),
        ],
        env=local_hub.environment(HF_HOME=str(folder / "cache"), **environment),
        capture_output=True,
        text=True,
    )


def prepare(root: Path, folder: Path, model: Mapping[str, str] = MODEL, **environment: str) -> str:
    """The error with which `prepare.py model` ends."""
    job = run(root, folder, model, **environment)
    assert job.returncode == 1, job.stderr
    assert not (folder / "bert").exists()
    error = job.stderr.splitlines()[-1]
    assert error.startswith("error: the hub model ")
    assert "`models.bert." in error
    return error


@pytest.mark.process
@pytest.mark.parametrize(
    ("status", "code", "problem", "hint"),
    [
        (
            404,
            "RepoNotFound",
            "has no such model, or it is private (no HF_TOKEN is set)",
            "correct `models.bert.hub`",
        ),
        (401, "RepoNotFound", "has no such model, or it is private", "correct `models.bert.hub`"),
        (401, "GatedRepo", "its owner asks for consent first (it is gated; no HF_TOKEN is set)", "variable HF_TOKEN"),
        (403, "GatedRepo", "its owner asks for consent first", "accept the terms on http://127.0.0.1"),
        (404, "RevisionNotFound", "it has no revision 'v9'", "correct `models.bert.revision`"),
        (400, "", "the hub answers 400", "run again later"),
    ],
)
def test_a_refusal_names_its_fix(root: Path, tmp_path: Path, status: int, code: str, problem: str, hint: str) -> None:
    with hub(status, code) as address:
        error = prepare(root, tmp_path, HF_ENDPOINT=address)
    assert problem in error
    assert hint in error.partition("Fix:")[2]


@pytest.mark.process
def test_a_token_is_never_shown(root: Path, tmp_path: Path) -> None:
    with hub(403, "GatedRepo") as address:
        error = prepare(root, tmp_path, HF_ENDPOINT=address, HF_TOKEN="hf_secret")
    assert "gated; the token of HF_TOKEN" in error
    assert "hf_secret" not in error


@pytest.mark.process
def test_a_hub_that_is_not_reached_is_told_with_the_way_around_it(root: Path, tmp_path: Path) -> None:
    error = prepare(root, tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert "the hub http://127.0.0.1:9 cannot be reached (" in error
    assert "hf download someone/no-model --local-dir FOLDER" in error
    assert "`models.bert.path`" in error


@pytest.mark.process
def test_offline_mode_is_named(root: Path, tmp_path: Path) -> None:
    error = prepare(root, tmp_path, HF_HUB_OFFLINE="1")
    assert f"it is not in the cache {tmp_path}/cache/hub, and HF_HUB_OFFLINE forbids asking the hub" in error


@pytest.mark.process
def test_a_name_that_cannot_be_one_is_refused(root: Path, tmp_path: Path) -> None:
    assert "correct `models.bert.hub`, OWNER/NAME" in prepare(root, tmp_path, {"hub": "a/b/c"})


@pytest.mark.process
def test_pickled_weights_are_fetched_where_the_hub_has_no_others(root: Path, tmp_path: Path) -> None:
    commit = "a" * 40
    source = save_tiny_bert(tmp_path / "source")
    tensors = load_file(source / "model.safetensors")
    torch.save(tensors, source / "pytorch_model.bin")
    (source / "training_args.bin").write_bytes(b"pickle")
    with hub_of(source, commit) as (address, asked):
        job = run(root, tmp_path, {"hub": "someone/model", "revision": "main"}, HF_ENDPOINT=address)
        assert job.returncode == 0, job.stderr
        assert not any(path.endswith(".bin") for path in asked)
        assert f"someone/model: commit {commit}" in job.stderr, "so that it can be pinned"
    (source / "model.safetensors").unlink()
    shutil.rmtree(tmp_path / "cache")
    with hub_of(source, commit) as (address, asked):
        job = run(root, tmp_path, {"hub": "someone/model", "revision": "main"}, HF_ENDPOINT=address)
        assert job.returncode == 0, job.stderr
        assert {path for path in asked if path.endswith(".bin")} == {
            f"/someone/model/resolve/{commit}/pytorch_model.bin"
        }
    job = run(root, tmp_path, {"hub": "someone/model", "revision": "main"}, HF_HUB_OFFLINE="1")
    assert job.returncode == 0, job.stderr
    converted = load_file(tmp_path / "bert" / "model.safetensors")
    assert all(torch.equal(converted[name], tensor) for name, tensor in tensors.items())
    assert not list((tmp_path / "bert").glob("*.bin"))
