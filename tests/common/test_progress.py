"""Progress lines: in the log, and on the terminal of a job whose log is a file."""

from __future__ import annotations

import io
import logging
import re
import sys
import time
from pathlib import Path

import pytest
from terminal import run_on_terminal

from utility_annotation.common.progress import Progress, counted, waiting
from utility_annotation.running.start import last_words

JOB = """
import sys, time
sys.path.insert(0, {scripts!r})
sys.argv = ["retrieve.py", "encode", "--config", "c.yaml", "--shard", "0000-of-0002", "--output", "results/v"]
from utility_annotation.common import progress
progress._SECONDS_BETWEEN_LINES = {pause}
progress.log_to_stderr()
counted = progress.Progress("encoding", 40, "passages", interval=0.0)
for _ in range(40):
    time.sleep(0.02)
    counted.add(1)
"""


def _run_on_a_terminal(code: str, log: Path) -> str:
    """What a terminal shows of a Python program whose standard error is a file."""
    ended, shown = run_on_terminal([sys.executable, "-c", code], log=log)
    assert ended == 0, log.read_text()
    return shown


@pytest.mark.process
def test_progress_reaches_the_terminal_although_the_log_is_a_file(root: Path, tmp_path: Path) -> None:
    code = JOB.format(scripts=str(root / "workflow" / "scripts"), pause=0.2)
    shown = _run_on_a_terminal(code, tmp_path / "log")
    lines = shown.split("\r\n")
    assert "retrieve encode 0000-of-0002 results/v: encoding: " in lines[0]
    assert " of 40 passages" in lines[0]
    assert len(lines) < 10
    assert (tmp_path / "log").read_text().count(" of 40 passages") == 40


@pytest.mark.process
def test_a_short_job_says_nothing_on_the_terminal(root: Path, tmp_path: Path) -> None:
    code = JOB.format(scripts=str(root / "workflow" / "scripts"), pause=30)
    assert _run_on_a_terminal(code, tmp_path / "log") == ""
    assert "40 of 40 passages" in (tmp_path / "log").read_text()


def test_a_short_job_can_do_without_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert list(counted("abc", "reading", "letters")) == list("abc")
        with waiting("doing"):
            pass
    assert not caplog.messages


def test_work_of_unknown_size_is_counted_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        lines = Progress("fetching", None, "bytes", interval=0.0)
        lines.add(1000)
        lines.add(500)
    assert [message.split(",  ")[0][:22] for message in caplog.messages] == [
        "fetching: 1,000 bytes,",
        "fetching: 1,500 bytes,",
    ]
    assert all(message.endswith(", 0:00:00") for message in caplog.messages)


def test_nothing_done_yet_is_no_division_by_zero(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Progress("fetching", 10, "bytes", interval=0.0).add(0)
    assert "0 of 10 bytes" in caplog.messages[0]


def test_work_that_counts_nothing_gives_signs_of_life_until_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        with waiting("indexing", interval=0.02):
            time.sleep(0.2)
        signs = len(caplog.messages)
        time.sleep(0.1)
    assert signs > 1
    assert len(caplog.messages) == signs
    assert re.fullmatch(r"indexing: 0:00:00 so far", caplog.messages[0])


def test_work_that_shows_its_position_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.BytesIO(b"x" * 3000)
    with caplog.at_level(logging.INFO):
        with Progress("reading", 3000, "bytes", interval=0.02).watching(stream.tell):
            stream.read(1000)
            time.sleep(0.1)
            assert caplog.messages[-1].startswith("reading: 1,000 of 3,000 bytes")
            stream.read()
        assert caplog.messages[-1].startswith("reading: 3,000 of 3,000 bytes")


HOSTILE = "a\x1b[31mb\x9bc\x07\r\nerror: forged\u202e"
SAYS = """
import logging, sys
sys.path.insert(0, {scripts!r})
from utility_annotation.common.errors import InputError, run_script
from utility_annotation.common.progress import LOG, log_to_stderr
def main(_):
    log_to_stderr()
    logging.getLogger("a").warning("%s says %s", "a server", {text!r})
    LOG.info({text!r})
    raise {error}({text!r}{hint})
run_script(main)
"""


@pytest.mark.process
@pytest.mark.parametrize(("error", "hint"), [("ValueError", ""), ("InputError", ", hint='no'")])
def test_text_from_outside_neither_steers_the_terminal_nor_begins_a_line(
    root: Path, tmp_path: Path, error: str, hint: str
) -> None:
    code = SAYS.format(scripts=str(root / "workflow" / "scripts"), text=HOSTILE, error=error, hint=hint)
    ended, shown = run_on_terminal([sys.executable, "-c", code], log=tmp_path / "log")
    assert ended == 1
    log = (tmp_path / "log").read_text()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", log + shown.replace("\r\n", "\n"))
    assert log.count("a\\x1b[31mb\\x9bc\\x07") >= 3
    assert "\nerror: forged" not in log
    assert not last_words(tmp_path / "log").startswith("error: forged")
