"""What a run is refused for before its first job: the error names the thing and the fix."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.planning import refusals
from utility_annotation.planning.loading import write_resolved
from utility_annotation.settings import Configuration


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(check: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as error:
        check()
    assert error.value.hint
    return error.value


def touch(*files: str) -> None:
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()


# files that are not there


def test_files_that_no_rule_makes_and_that_are_not_there_are_missing() -> None:
    touch("own/qrels.txt", "own/beir/qrels/dev.tsv", "own/rows.jsonl")
    assert refusals.missing_files(WHOLE) == {
        "own/dev.jsonl": ["datasets.data.splits.dev.queries.path"],
        "own/answers.jsonl": ["datasets.data.splits.dev.answers.path"],
        "own/asked.jsonl": ["datasets.data.splits.asked.queries.path"],
        "own/documents": ["datasets.written.documents.path"],
        "own/ids.jsonl": ["pools.ids.source.path"],
        "own/theirs.txt": ["labels.theirs.file.path"],
        "own/splade.trec": ["external_runs.splade.files.dev", "external_runs.splade.files.judged"],
        "mine/zipped.zip": ["downloads.zipped.local"],
    }


def missing(file: str, configuration: Configuration = WHOLE) -> str:
    return str(refused(lambda: refusals.missing_file(configuration, missing_file=file)))


def test_a_missing_file_is_named_with_its_setting_and_the_nearest_that_is_there(folder: Path) -> None:
    touch("own/id.jsonl", "own/else.txt")
    text = missing("own/ids.jsonl")
    assert text.startswith(
        "own/ids.jsonl, which `pools.ids.source.path` names, is not there (did you mean own/id.jsonl?)"
    )
    assert "Fix: correct `pools.ids.source.path`, or put it there" in text
    assert f"Relative paths start from {folder}" in text


def test_a_file_that_two_settings_name_is_told_with_both() -> None:
    both = at_places({"pools/rows/source/path": "own/ids.jsonl"})
    assert "which `pools.rows.source.path` and `pools.ids.source.path` name, is not there" in missing(
        "own/ids.jsonl", both
    )


def test_a_file_beside_a_download_that_is_no_archive_is_told_how_the_download_is_kept() -> None:
    plain = {"downloads/plain": {"url": "https://host/rows.jsonl"}, "pools/rows/source/path": "raw/plain/row.jsonl"}
    text = missing("raw/plain/row.jsonl", at_places(plain))
    assert "the download plain is kept as raw/plain/rows.jsonl" in text


def test_a_file_below_raw_without_its_download_is_told_of_downloads() -> None:
    configuration = at_places({"pools/rows/source/path": "raw/new/rows.jsonl"})
    assert "or let it be fetched: `downloads.new` with its `url`" in missing("raw/new/rows.jsonl", configuration)


# names that are not there


def test_an_unknown_target_is_named_with_the_nearest() -> None:
    text = str(refused(lambda: refusals.unknown_target(["all", "labels", "tables"], "table")))
    assert text.startswith("there is no target 'table' (did you mean 'tables'?).")
    assert "Fix: name a target that `snakemake --list-target-rules` shows" in text


@pytest.mark.parametrize(
    ("labels", "form", "expected"),
    [
        ("usefull", "tevatron", ["'usefull' is no label set of the configuration (did you mean 'useful'?)"]),
        ("useful", "tevatorn", ["'tevatorn' is no format of labels (did you mean 'tevatron'?)"]),
        ("usefull", "tevatorn", ["'usefull' is no label set", "'tevatorn' is no format of labels"]),
    ],
)
def test_an_unknown_export_is_named_with_the_nearest(labels: str, form: str, expected: list[str]) -> None:
    text = str(refused(lambda: refusals.unknown_export(WHOLE, any_labels=labels, any_format=form)))
    assert all(problem in text for problem in expected)
    assert "Fix: ask for results/exports/labels/LABELS/FORMAT." in text


# folders


@pytest.mark.parametrize("made", ["annotation", "labels", "models", "metrics", "pools", "tables"])
def test_results_of_the_former_version_are_refused(folder: Path, made: str) -> None:
    Path("results", made).mkdir(parents=True)
    text = str(refused(lambda: refusals.older_results(WHOLE)))
    assert text.startswith(f"{folder}/results was made by version 1")
    assert "mv results-1/completions results/" in text


def test_results_with_completions_alone_are_of_every_version() -> None:
    Path("results/completions/list").mkdir(parents=True)
    refusals.older_results(WHOLE)


def test_results_of_this_version_are_gone_on_with() -> None:
    Path("results/pools").mkdir(parents=True)
    write_resolved(WHOLE)
    refusals.older_results(WHOLE)
    refusals.older_results(at_places({"bm25": {"k1": 0.8}}))


def test_an_empty_folder_is_no_older_one() -> None:
    refusals.older_results(WHOLE)


@pytest.fixture
def not_writable(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Paths that the user may not write. Nobody keeps root, as which tests may run, from writing."""
    paths: set[Path] = set()
    real = os.access

    def access(path: str | Path, mode: int) -> bool:
        return Path(path).absolute() not in paths and real(path, mode)

    monkeypatch.setattr(os, "access", access)
    return paths


def test_a_folder_of_somebody_else_is_refused(folder: Path, not_writable: set[Path]) -> None:
    refusals.foreign_folder()
    not_writable.add(folder)
    text = str(refused(refusals.foreign_folder))
    assert text.startswith(f"{folder}/.snakemake cannot be written: the folder is read-only, or another user's.")
    assert "run in a folder of your own" in text


def test_records_that_can_be_written_are_enough(folder: Path, not_writable: set[Path]) -> None:
    (folder / ".snakemake").mkdir()
    not_writable.add(folder)
    refusals.foreign_folder()
    not_writable.add(folder / ".snakemake")
    assert str(refused(refusals.foreign_folder)).startswith(f"{folder}/.snakemake cannot be written")


def test_an_output_that_could_not_be_written_is_named_with_its_rule(folder: Path, not_writable: set[Path]) -> None:
    outputs = [("ingest_corpus", "data/demo/corpus.parquet"), ("merge_labels", "results/labels/human.parquet")]
    Path("data").mkdir()
    refusals.outputs_without_access(outputs)
    not_writable.add(folder / "data")
    text = str(refused(lambda: refusals.outputs_without_access(outputs)))
    assert text.startswith("data cannot be written, but ingest_corpus is to make data/demo/corpus.parquet there.")
    assert "give yourself write permission" in text


# interpreters


def with_interpreter(python: object) -> Configuration:
    return at_places({"performance/annotate": {"python": str(python)}})


def test_an_interpreter_of_vllm_that_is_not_there_is_refused() -> None:
    text = str(refused(lambda: refusals.missing_vllm(with_interpreter("/nowhere/python"))))
    assert text.startswith("there is no interpreter /nowhere/python.")
    assert "Fix: correct `performance.annotate.python`" in text


@pytest.mark.skipif(find_spec("tensorboard") is not None, reason="the package is there")
def test_tensorboard_s_files_need_its_package() -> None:
    refusals.missing_tensorboard(at_places({}))
    text = str(refused(lambda: refusals.missing_tensorboard(at_places({"performance/train/log_to": "tensorboard"}))))
    assert "`performance.train.log_to` is tensorboard" in text
    assert "pip install tensorboard" in text


@pytest.mark.process
def test_an_interpreter_without_vllm_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-S` hides the packages of the environment."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    text = str(refused(lambda: refusals.missing_vllm(with_interpreter(python))))
    assert text.startswith(f"annotators of engine vllm would run with {python}, which has no vLLM.")
    assert "--software-deployment-method conda" in text
    assert "`performance.annotate.python`" in text
    (folder / "vllm.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    refusals.missing_vllm(with_interpreter(python))


@pytest.mark.process
def test_a_python_without_the_workflows_packages_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that only says what Python says of a missing package stands first on the path."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    refusals.foreign_python()
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'orjson'\" >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{python.parent}:/bin:/usr/bin")
    assert shutil.which("python") == str(python)
    text = str(refused(refusals.foreign_python))
    assert text.startswith(f"jobs would run with {python}, which lacks the workflow's packages (ModuleNotFoundError:")
    assert "bin/activate`" in text


def test_no_python_at_all_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert "which lacks the workflow's packages (there is none)" in str(refused(refusals.foreign_python))


@pytest.mark.process
def test_another_python_that_has_the_packages_will_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    refusals.foreign_python()
