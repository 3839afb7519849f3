"""Kills the child processes that a killed process leaves behind: vLLM's engine would go on and keep its GPU.

This file is also the watching program, which runs beside the process and needs only psutil.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress

_INTERVAL = 1.0
_TIDIES_UP = "multiprocessing.resource_tracker"
"""This child ends by itself, after it has removed shared memory."""


def end_with_this_process() -> None:
    """Kill all children of this process within two seconds after it ends, even by ``kill -9``."""
    null = subprocess.DEVNULL
    command = [sys.executable, __file__, str(os.getpid())]
    subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)


def _watch(parent_id: int) -> None:
    import psutil

    parent, own_id = psutil.Process(parent_id), os.getpid()
    family: list[psutil.Process] = []
    while os.getppid() == parent_id:
        with suppress(psutil.NoSuchProcess):
            family = [process for process in parent.children(recursive=True) if process.pid != own_id]
        time.sleep(_INTERVAL)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            if _TIDIES_UP not in " ".join(process.cmdline()):
                process.kill()


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
