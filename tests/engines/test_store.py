"""The completion store loses nothing but what a kill cut off, and nobody's record but that."""

from __future__ import annotations

import gzip
import json
import logging
import time
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.engines import store_files
from utility_annotation.engines.protocol import Completion, Continuation, LogLikelihood, Message, ReplyRequest
from utility_annotation.engines.store import CompletionStore, completion_key, log_likelihood_key
from utility_annotation.engines.store_admin import prune
from utility_annotation.engines.store_files import newest
from utility_annotation.settings import Sampling

CHAT = (Message("user", "Which?"),)
REQUEST = ReplyRequest(CHAT, Sampling())
KEY = completion_key("model", REQUEST)
COMPLETION = Completion("My selection:[[1]]\n\u2028é", "stop", 10, 5)


def key(number: int) -> str:
    """A key like any other."""
    return f"{number:032x}"


def test_both_kinds_of_result_come_back_as_they_were(tmp_path: Path) -> None:
    other = log_likelihood_key("model", Continuation(CHAT, "this"))
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
        store.add(other, LogLikelihood(-1.25, 3, 8))
    assert CompletionStore(tmp_path).find([KEY, other]) == {KEY: COMPLETION, other: LogLikelihood(-1.25, 3, 8)}


def test_find_returns_only_what_was_asked_for(tmp_path: Path) -> None:
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
        assert store.find(["0" * 32]) == {}


@pytest.mark.parametrize(
    "other",
    [
        completion_key("other model", REQUEST),
        completion_key("model", ReplyRequest(CHAT, Sampling(temperature=0.6))),
        completion_key("model", ReplyRequest(CHAT, Sampling(max_new_tokens=5))),
        completion_key("model", ReplyRequest(CHAT, Sampling(), guide="[0-9]")),
        completion_key("model", ReplyRequest((Message("assistant", "Which?"),), Sampling())),
        completion_key("model", ReplyRequest((Message("user", "Which one?"),), Sampling())),
        log_likelihood_key("model", Continuation(CHAT, "")),
    ],
)
def test_key_depends_on_whatever_decides_the_reply(other: str) -> None:
    assert other != KEY


def test_seed_tells_sampled_replies_apart_but_not_greedy_ones() -> None:
    assert completion_key("model", ReplyRequest(CHAT, Sampling(seed=1))) == KEY
    sampled = [completion_key("model", ReplyRequest(CHAT, Sampling(temperature=1, seed=seed))) for seed in (0, 1)]
    assert sampled[0] != sampled[1]


def test_record_says_when_it_was_made(tmp_path: Path) -> None:
    before = time.time()
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
    (segment,) = tmp_path.glob("*.jsonl")
    assert before - 1 <= json.loads(segment.read_bytes())["time"] <= time.time() + 1


def test_record_without_a_time_is_read(tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").write_text(json.dumps({"key": KEY, **asdict(COMPLETION)}, separators=(",", ":")) + "\n")
    assert CompletionStore(tmp_path).find([KEY]) == {KEY: COMPLETION}


@pytest.mark.parametrize("names", [("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")])
def test_oldest_of_several_results_counts_whatever_its_file(tmp_path: Path, names: tuple[str, str]) -> None:
    for name, moment, total in zip(names, (100.5, 200.5), (-1.0, -2.0), strict=True):
        record = {"key": KEY, "time": moment, **asdict(LogLikelihood(total, 1, 1))}
        (tmp_path / name).write_text(json.dumps(record, separators=(",", ":")) + "\n")
    assert CompletionStore(tmp_path).find([KEY]) == {KEY: LogLikelihood(-1.0, 1, 1)}


def test_a_clock_that_is_set_back_does_not_change_which_result_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither that of a later job, nor that of a job which wrote before and goes on."""
    clock = [2e9]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    likelihoods = [LogLikelihood(-total, 1, 1) for total in (1.0, 2.0, 3.0)]
    with CompletionStore(tmp_path) as early, CompletionStore(tmp_path) as other:
        early.add(key(1), COMPLETION)
        other.add(KEY, likelihoods[0])
        clock[0] -= 3600
        early.add(KEY, likelihoods[1])
        with CompletionStore(tmp_path) as late:
            late.add(KEY, likelihoods[2])
        assert late.find([KEY]) == {KEY: likelihoods[0]}
    prune(tmp_path)
    assert CompletionStore(tmp_path).find([KEY]) == {KEY: likelihoods[0]}


def test_a_segment_of_long_records_tells_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 2e9)
    with CompletionStore(tmp_path) as store:
        store.add(KEY, replace(COMPLETION, text="x" * 200_000))
    assert newest(tmp_path) == pytest.approx(2e9, abs=60)


@pytest.mark.parametrize(
    "change", [{"tokens": 0}, {"tokens": -3}, {"total": "nan"}, {"total": "-inf"}, {"time": "nan"}]
)
def test_a_likelihood_that_is_none_is_dropped(tmp_path: Path, change: dict[str, object]) -> None:
    record = {"key": KEY, "time": 1.0, **asdict(LogLikelihood(-1.0, 2, 1))} | change
    (tmp_path / "a.jsonl").write_text(json.dumps(record, separators=(",", ":")) + "\n")
    assert CompletionStore(tmp_path).find([KEY]) == {}


def test_an_imported_copy_with_a_line_of_any_length_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_files, "_LONGEST", 1 << 20)
    zeros = gzip.compress(bytes(1 << 20))
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
    (tmp_path / "a.jsonl.gz").write_bytes(b"".join([zeros] * 100))
    tracemalloc.start()
    try:
        assert CompletionStore(tmp_path).find([KEY, key(1)]) == {KEY: COMPLETION}
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_record_cut_off_at_any_byte_is_dropped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
        store.add(key(1), COMPLETION)
    (segment,) = tmp_path.glob("*.jsonl")
    whole = segment.read_bytes()
    first_ends = whole.index(b"\n") + 1
    for length in range(first_ends + 1, len(whole)):
        segment.write_bytes(whole[:length])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert CompletionStore(tmp_path).find([KEY, key(1)]) == {KEY: COMPLETION}
        assert f"{segment}, line 2: dropped a record that was cut off" in caplog.text


def test_store_with_a_record_cut_off_takes_more(tmp_path: Path) -> None:
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
    (segment,) = tmp_path.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes()[:-5])
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
        store.add(key(1), COMPLETION)
    assert CompletionStore(tmp_path).find([KEY, key(1)]) == {KEY: COMPLETION, key(1): COMPLETION}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda line: line[:50] + b"\n", id="cut in the middle of a file"),
        pytest.param(lambda line: b"\0" * 64 + b"\n", id="zeros, as a crash of the machine leaves them"),
        pytest.param(lambda line: line.replace(b'"stop"', b'"cease"'), id="unknown finish reason"),
        pytest.param(lambda line: line.replace(b":10,", b":null,"), id="no number of tokens"),
        pytest.param(lambda line: line.replace(b'"time":', b'"time":"",'), id="no time"),
        pytest.param(lambda line: line.replace(b'"text"', b'"txet"'), id="no text"),
    ],
)
def test_damaged_record_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage) -> None:
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
        store.add(key(1), COMPLETION)
    (segment,) = tmp_path.glob("*.jsonl")
    first, second = segment.read_bytes().splitlines(keepends=True)
    assert damage(first) != first
    segment.write_bytes(damage(first) + second)
    assert CompletionStore(tmp_path).find([KEY, key(1)]) == {key(1): COMPLETION}
    assert f"{segment}, line 1: dropped a damaged record" in caplog.text


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store"
    file.touch()
    with pytest.raises(InputError, match=f"{file}: .* Fix: give a folder"):
        CompletionStore(file)
