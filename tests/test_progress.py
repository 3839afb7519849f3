"""Progress lines: in the log, and on the terminal of a job whose log is a file."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

JOB = """
import sys, time
sys.path.insert(0, {scripts!r})
sys.argv = ["encode.py", "--output-vectors", "results/x.npy"]
from utility_annotation import progress
progress._SECONDS_BETWEEN_LINES = {pause}
progress.log_to_stderr()
counted = progress.Progress("encoding", 40, "passages", interval=0.0)
for _ in range(40):
    time.sleep(0.02)
    counted.add(1)
"""


def _run_on_a_terminal(code: str, log: Path) -> str:
    """What a terminal shows of a Python program whose standard error is a file."""
    child, terminal = os.forkpty()
    if child == 0:  # pragma: no cover - the child becomes another program
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, 2)
        os.execv(sys.executable, [sys.executable, "-c", code])
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the child has closed it
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, log.read_text()
    return shown.decode()


def test_progress_reaches_the_terminal_although_the_log_is_a_file(root: Path, tmp_path: Path) -> None:
    code = JOB.format(scripts=str(root / "workflow" / "scripts"), pause=0.2)
    shown = _run_on_a_terminal(code, tmp_path / "log")
    lines = shown.split("\r\n")
    assert "encode results/x.npy: encoding: " in lines[0]
    assert " of 40 passages" in lines[0]
    assert len(lines) < 10
    assert (tmp_path / "log").read_text().count(" of 40 passages") == 40


def test_a_short_job_says_nothing_on_the_terminal(root: Path, tmp_path: Path) -> None:
    code = JOB.format(scripts=str(root / "workflow" / "scripts"), pause=30)
    assert _run_on_a_terminal(code, tmp_path / "log") == ""
    assert "40 of 40 passages" in (tmp_path / "log").read_text()
