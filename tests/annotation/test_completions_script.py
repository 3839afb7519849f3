"""Stores are listed, carried elsewhere and pruned, and no result is lost or changed by it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import completions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.engines.protocol import Completion, LogLikelihood
from utility_annotation.engines.store import CompletionStore

DAY = 24 * 3600
COMPLETION = Completion("My selection:[[1]]", "stop", 10, 5)
SCORE = LogLikelihood(-1.25, 3, 8)


def key(number: int) -> str:
    return f"{number:032x}"


def record(number: int, result: Completion | LogLikelihood, made: float | None = None) -> bytes:
    """A record as an earlier run left it."""
    fields = {"key": key(number)} | ({} if made is None else {"time": made}) | asdict(result)
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two segments: four distinct records, one of them twice, one damaged and one cut off."""
    folder = tmp_path / "completions" / "annotator"
    folder.mkdir(parents=True)
    now = time.time()
    (folder / "a.jsonl").write_bytes(record(1, COMPLETION, now - 40 * DAY) + record(2, SCORE) + b'{"key":"\n')
    (folder / "b.jsonl").write_bytes(
        record(1, SCORE, now - DAY) + record(3, COMPLETION, now) + record(4, SCORE, now) + record(5, SCORE, now)[:-9]
    )
    return folder


def everything(folder: Path) -> dict[str, Completion | LogLikelihood]:
    return CompletionStore(folder).find([key(number) for number in range(10)])


def segments(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def run(*arguments: object) -> None:
    completions.main([str(argument) for argument in arguments])


def test_list_counts_what_a_store_holds(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("list", store, "--json")
    (summary,) = json.loads(capsys.readouterr().out)
    assert time.time() - summary.pop("newest") < 60
    assert time.time() - summary.pop("oldest") == pytest.approx(40 * DAY, abs=60)
    assert summary == {
        "folder": str(store),
        "segments": 2,
        "bytes": sum(path.stat().st_size for path in segments(store)),
        "records": 5,
        "keys": 4,
        "completions": 2,
        "log_likelihoods": 3,
        "prompt_tokens": 2 * 10 + 3 * (8 + 3),
        "completion_tokens": 2 * 5,
        "dropped": 2,
    }


def test_list_of_a_folder_of_stores_has_a_row_each(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CompletionStore(store.parent / "other") as other:
        other.add(key(1), COMPLETION)
    run("list", store.parent)
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["folder", "segments", "bytes"]
    assert first.split()[:2] == [str(store), "2"]
    assert second.split()[:2] == [str(store.parent / "other"), "1"]
    assert len(head) == len(first) == len(second)


@pytest.mark.parametrize("command", [["list"], ["prune"], ["export", "--output", "copy.jsonl"]])
def test_folder_without_completions_is_named(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"{tmp_path}: no completions are stored here"):
        run(*command, tmp_path)


@pytest.mark.parametrize("name", ["copy.jsonl.gz", "copy.jsonl"])
def test_exported_file_is_a_second_machines_copy(store: Path, tmp_path: Path, name: str) -> None:
    run("export", store, "--output", tmp_path / "elsewhere" / name)
    assert [path.name for path in segments(tmp_path / "elsewhere")] == [name]
    assert everything(tmp_path / "elsewhere") == everything(store)
    assert len(everything(store)) == 4


def test_export_has_each_key_once_and_the_result_that_jobs_find(store: Path, tmp_path: Path) -> None:
    run("export", store, "--output", tmp_path / "copy.jsonl.gz")
    records = [json.loads(line) for line in gzip.decompress((tmp_path / "copy.jsonl.gz").read_bytes()).splitlines()]
    assert sorted(record["key"] for record in records) == [key(number) for number in (1, 2, 3, 4)]
    assert records[0]["text"] == COMPLETION.text


def test_export_under_a_name_that_no_store_would_read_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"copy\.json: .* use \.jsonl\.gz or \.jsonl"):
        run("export", store, "--output", tmp_path / "copy.json")


def test_compressed_copy_that_was_cut_off_gives_what_is_left(
    store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "elsewhere" / "copy.jsonl.gz"
    run("export", store, "--output", copy)
    copy.write_bytes(copy.read_bytes()[:-4])
    assert everything(copy.parent) == everything(store)
    assert f"{copy}, line 5: dropped the rest, which is cut off or damaged" in caplog.text


def test_prune_leaves_one_clean_segment_and_every_result(
    store: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = everything(store)
    run("prune", store.parent)
    account = "4 records kept; removed: 1 duplicates, 2 cut off or damaged, 0 too old, 0 half-written files\n"
    assert capsys.readouterr().out == f"{store}: {account}"
    (segment,) = segments(store)
    caplog.clear()
    assert everything(store) == before
    assert not caplog.records
    assert len(segment.read_bytes().splitlines()) == 4


def test_prune_by_age_keeps_younger_records_and_those_that_do_not_say(store: Path) -> None:
    run("prune", store, "--older-than", 30)
    assert everything(store) == {key(1): SCORE, key(2): SCORE, key(3): COMPLETION, key(4): SCORE}


def test_dry_run_changes_nothing(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in segments(store)}
    run("prune", store, "--older-than", 30, "--dry-run")
    assert {path: path.read_bytes() for path in segments(store)} == before
    assert "4 records kept; would be removed: 0 duplicates, 2 cut off or damaged, 1 too old" in capsys.readouterr().out


def test_prune_that_has_nothing_to_do_rewrites_nothing(store: Path) -> None:
    run("prune", store)
    (segment,) = segments(store)
    run("prune", store)
    assert segments(store) == [segment]


def test_prune_leaves_a_segment_alone_that_is_being_written(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CompletionStore(store) as writer:
        writer.add(key(6), COMPLETION)
        (own,) = {*segments(store)} - {store / "a.jsonl", store / "b.jsonl"}
        run("prune", store)
        assert f"left alone, a process may be writing to it: {own}" in capsys.readouterr().out
        writer.add(key(7), COMPLETION)
    assert len(segments(store)) == 2
    assert everything(store).keys() == {key(number) for number in (1, 2, 3, 4, 6, 7)}


def test_prune_removes_a_half_written_file_only_when_it_is_a_day_old(store: Path) -> None:
    fresh, stale = store / ".fresh.jsonl.1.partial", store / ".stale.jsonl.1.partial"
    for file, age in ((fresh, DAY / 2), (stale, 2 * DAY)):
        file.touch()
        os.utime(file, (time.time() - age,) * 2)
    run("prune", store)
    assert fresh.exists()
    assert not stale.exists()


@pytest.mark.parametrize("days", ["-1", "nan", "soon"])
def test_age_that_is_none_is_refused(store: Path, days: str) -> None:
    with pytest.raises(SystemExit):
        run("prune", store, "--older-than", days)
    assert len(segments(store)) == 2


RECORDS = st.tuples(st.integers(0, 9), st.none() | st.integers(1, 5), st.floats(-9, 0))


@settings(max_examples=50)
@given(files=st.lists(st.lists(RECORDS, max_size=8), min_size=1, max_size=4))
def test_prune_and_export_change_no_result(files: list[list[tuple]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("store")
    for number, records in enumerate(files):
        lines = [record(name, LogLikelihood(total, 1, 1), made) for name, made, total in records]
        (folder / f"{number}.jsonl").write_bytes(b"".join(lines))
    before = everything(folder)
    run("export", folder, "--output", folder.with_name(folder.name + "-copy") / "copy.jsonl")
    run("prune", folder)
    assert everything(folder) == everything(folder.with_name(folder.name + "-copy")) == before


@pytest.mark.process
def test_script_starts_without_any_model_library(store: Path, root: Path) -> None:
    code = f"""
import sys
import completions
completions.main(["list", {str(store)!r}])
assert not {{"torch", "transformers", "pyarrow", "pandas", "numpy", "jinja2"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=root / "workflow" / "scripts", check=True, capture_output=True)
