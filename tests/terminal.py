"""A pseudo-terminal, as a user has before them, for programs whose standard error may be a file all the same."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path


def run_on_terminal(command: Sequence[str], *, folder: Path | None = None, log: Path | None = None) -> tuple[int, str]:
    """Run a program on a terminal of its own; its exit code, and what the terminal shows.

    Args:
        command: the program with its path, and its arguments.
        folder: where it runs.
        log: the file that is its standard error, if it is one.
    """
    child, terminal = os.forkpty()
    if child == 0:  # pragma: no cover - the child becomes another program
        if folder is not None:
            os.chdir(folder)
        if log is not None:
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
        os.execv(command[0], command)
    shown = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the child has closed it
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode(errors="replace")
