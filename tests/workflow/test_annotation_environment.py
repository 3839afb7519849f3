"""Where annotation jobs run: vLLM has an interpreter and a conda environment of its own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from workflow_copy import copy_of_repository, plan, snakemake

pytestmark = pytest.mark.snakemake

CONDA = """#!/bin/sh
case "$*" in
  --version) echo "conda 26.1.0" ;;
  *) echo '{"conda_prefix": "/nowhere", "platform": "linux-64", "get": {"channel_priority": "strict"}}' ;;
esac
"""
"""Answers what Snakemake asks of conda before it says which environments it would make."""


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose configuration vllm.yaml has a second annotator, for which vLLM runs."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("environment"))
    demo = (folder / "config" / "config.yaml").read_text()
    assert "protocol: pointwise" in demo
    demo = demo.replace("    protocol: pointwise", "    engine: vllm\n    protocol: pointwise")
    (folder / "config" / "vllm.yaml").write_text(demo)
    return folder


def interpreters(folder: Path, configuration: str) -> set[str]:
    """What starts the annotation jobs of a plan in which the user names an interpreter."""
    named = "performance={annotate: {python: /opt/vllm/bin/python}}"
    jobs = plan(folder, "--configfile", f"config/{configuration}", "--config", named).jobs
    return {job.command.split()[0] for job in jobs if job.rule.startswith("annotate_")}


def test_named_interpreter_runs_vllm_and_nothing_else(workflow: Path) -> None:
    assert interpreters(workflow, "config.yaml") == {"python"}
    assert interpreters(workflow, "vllm.yaml") == {"/opt/vllm/bin/python"}


def test_a_missing_vllm_is_told_by_a_dry_run_and_refused_by_a_run(workflow: Path) -> None:
    words = "annotators of engine vllm would run with "
    for target, told in (("labels", True), ("data/demo/corpus.parquet", False)):
        shown = snakemake(workflow, target, "--dry-run", "--configfile", "config/vllm.yaml")
        assert shown.returncode == 0, shown.stderr
        assert (f"A run would stop: {words}" in shown.stdout) == told
    result = snakemake(workflow, "labels", "--cores", "1", "--configfile", "config/vllm.yaml")
    assert result.returncode == 1
    assert words in result.stderr
    assert not (workflow / "data").exists()


def test_a_missing_tensorboard_is_told_by_a_dry_run_of_trainings(workflow: Path) -> None:
    logged = ("--dry-run", "--config", "performance={train: {log_to: tensorboard}}")
    for target, told in (("retrieval", True), ("data/demo/corpus.parquet", False)):
        shown = snakemake(workflow, target, *logged)
        assert shown.returncode == 0, shown.stderr
        assert ("A run would stop: `performance.train.log_to` is tensorboard" in shown.stdout) == told


def test_conda_makes_vllm_s_environment_where_vllm_runs(
    workflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conda = tmp_path / "conda"
    conda.write_text(CONDA)
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    options = ("--software-deployment-method", "conda", "--list-conda-envs")
    listed = snakemake(workflow, "--configfile", "config/vllm.yaml", *options)
    assert listed.returncode == 0, listed.stderr + listed.stdout
    assert set(re.findall(r"^envs/\S+", listed.stdout, flags=re.MULTILINE)) == {"envs/core.yaml", "envs/vllm.yaml"}
