"""The target `check`, as a user asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from workflow_copy import copy_of_repository, snakemake

pytestmark = pytest.mark.snakemake


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_repository(root, tmp_path_factory.mktemp("check"))


@pytest.fixture(autouse=True)
def nothing_is_made(workflow: Path) -> Iterator[None]:
    """No check makes, fetches or keeps anything but Snakemake's own records."""
    yield
    assert not {path.name for path in workflow.iterdir()} & {"data", "raw", "results", "logs"}


def test_a_check_needs_no_cores_and_is_never_up_to_date(workflow: Path) -> None:
    for _ in range(2):
        result = snakemake(workflow, "check")
        assert result.returncode == 0, result.stdout + result.stderr
        assert re.search(r"^plan +ready +116 jobs$", result.stdout, re.MULTILINE)
        assert result.stdout.splitlines()[-1] == "All is ready."


def test_targets_beside_it_are_what_is_checked_and_are_not_made(workflow: Path) -> None:
    result = snakemake(workflow, "data/demo/corpus.parquet", "check", "--cores", "1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^plan +ready +1 job$", result.stdout, re.MULTILINE)
    assert "model" not in result.stdout


def test_a_run_that_could_not_start_has_an_exit_code_and_every_missing_file(
    workflow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = snakemake(workflow, "check", "own", "--configfile", "config/own-corpus.yaml")
    assert result.returncode == 1
    for file in ("corpus", "questions"):
        assert re.search(rf"^file raw/own/{file}.jsonl +not ready", result.stdout, re.MULTILINE)
    assert re.search(r"^\d of \d+ rows are not ready\.$", result.stdout.splitlines()[-1])


def test_a_configuration_that_cannot_be_read_is_told(workflow: Path) -> None:
    result = snakemake(workflow, "check", "--config", "perfromance={}")
    assert result.returncode == 1
    assert "did you mean 'performance'" in result.stdout + result.stderr


def test_it_is_listed_with_the_other_targets(workflow: Path) -> None:
    assert "check" in snakemake(workflow, "--list-target-rules").stdout.split()
