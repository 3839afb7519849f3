"""The completion store loses nothing but what a kill cut off, and nobody's record but that."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from utility_annotation.annotation.protocol import Completion, Continuation, LogLikelihood, Message
from utility_annotation.annotation.store import CompletionStore, completion_key, log_likelihood_key
from utility_annotation.configuration import Sampling

CHAT = (Message("user", "Which?"),)
KEY = completion_key("model", Sampling(), CHAT)
COMPLETION = Completion("My selection:[[1]]\n\u2028é", "stop", 10, 5)


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
        completion_key("other model", Sampling(), CHAT),
        completion_key("model", Sampling(temperature=0.6), CHAT),
        completion_key("model", Sampling(max_new_tokens=5), CHAT),
        completion_key("model", Sampling(), (Message("assistant", "Which?"),)),
        completion_key("model", Sampling(), (Message("user", "Which one?"),)),
        log_likelihood_key("model", Continuation(CHAT, "")),
    ],
)
def test_key_depends_on_whatever_decides_the_reply(other: str) -> None:
    assert other != KEY


def test_seed_tells_sampled_replies_apart_but_not_greedy_ones() -> None:
    assert completion_key("model", Sampling(seed=1), CHAT) == KEY
    sampled = [completion_key("model", Sampling(temperature=1, seed=seed), CHAT) for seed in (0, 1)]
    assert sampled[0] != sampled[1]


def test_record_cut_off_at_any_byte_is_dropped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    last = completion_key("model", Sampling(seed=1, temperature=1), CHAT)
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
        store.add(last, COMPLETION)
    (segment,) = tmp_path.glob("*.jsonl")
    whole = segment.read_bytes()
    first_ends = whole.index(b"\n") + 1
    for length in range(first_ends + 1, len(whole)):
        segment.write_bytes(whole[:length])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert CompletionStore(tmp_path).find([KEY, last]) == {KEY: COMPLETION}
        assert f"{segment}, line 2: dropped a record that was cut off" in caplog.text


def test_damaged_record_in_the_middle_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with CompletionStore(tmp_path) as store:
        store.add(KEY, COMPLETION)
    (segment,) = tmp_path.glob("*.jsonl")
    line = segment.read_bytes()
    segment.write_bytes(line[:50] + b"\n" + line)
    assert CompletionStore(tmp_path).find([KEY]) == {KEY: COMPLETION}
    assert "line 1: dropped a damaged record" in caplog.text


WRITER = """
import sys
from utility_annotation.annotation.protocol import LogLikelihood
from utility_annotation.annotation.store import CompletionStore
with CompletionStore(sys.argv[1]) as store:
    for number in range(500):
        store.add(f"{sys.argv[2]}{number:031d}", LogLikelihood(-float(number), 1, 1))
"""


def test_processes_that_write_at_once_do_no_harm(tmp_path: Path, root: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], cwd=root / "workflow" / "scripts")
        for name in "abc"
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    keys = [f"{name}{number:031d}" for name in "abc" for number in range(500)]
    found = CompletionStore(tmp_path).find(keys)
    assert found == {key: LogLikelihood(-float(key[1:]), 1, 1) for key in keys}
