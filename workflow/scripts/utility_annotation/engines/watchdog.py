"""Ends what a process leaves behind when it is killed: vLLM's engine would go on alone, and keep its GPU.

This file is also the program that watches: it is started beside the process, and needs nothing but psutil.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress

_INTERVAL = 1.0
_TIDIES_UP = "multiprocessing.resource_tracker"
"""Of all that is left behind, this ends by itself, and removes shared memory before it does."""


def end_with_this_process() -> None:
    """From now on, whatever this process starts is killed within two seconds of its own end, however that comes."""
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
