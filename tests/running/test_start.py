"""What is said last of jobs that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from utility_annotation.running.start import last_words


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("10:00 INFO reading\nerror: a.txt, line 3: no. Fix: yes.\n", "error: a.txt, line 3: no. Fix: yes."),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'a'\n", "KeyError: 'a'"),
    ],
)
def test_an_error_is_quoted(tmp_path: Path, log: str, said: str) -> None:
    (tmp_path / "log").write_text(log)
    assert last_words(tmp_path / "log") == said


@pytest.mark.parametrize("log", [None, "", "10:00 INFO encoding: 3 of 9\n10:01 INFO encoding: 4 of 9\n"])
def test_a_job_that_was_killed_is_told_too(tmp_path: Path, log: str | None) -> None:
    if log is not None:
        (tmp_path / "log").write_text(log)
    said = last_words(tmp_path / "log")
    assert "killed" in said
    assert said.startswith("10:00 INFO encoding: 3 of 9" if log else "it ended without an error")


def test_what_another_program_wrote_to_the_log_does_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Traceback (most recent call last):\nValueError: \x1b[2J\x1b]0;title\x07\n")
    assert last_words(tmp_path / "log") == r"ValueError: \x1b[2J\x1b]0;title\x07"
