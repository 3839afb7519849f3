"""What a killed process had started ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import subprocess, sys, time
from utility_annotation.engines.watchdog import end_with_this_process
end_with_this_process()
nested = "import subprocess; subprocess.run(['sleep', '300'])"
subprocess.Popen([sys.executable, "-c", nested])
time.sleep(300)
"""


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_process_leaves_nothing_running(root: Path, number: signal.Signals) -> None:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=root / "workflow" / "scripts")
    itself = psutil.Process(program.pid)
    family: list[psutil.Process] = []
    while "sleep" not in {process.name() for process in family}:
        family = itself.children(recursive=True)
        time.sleep(0.05)
    time.sleep(1.5)  # the watcher looks once a second
    program.send_signal(number)
    program.wait()
    assert len(family) == 3
    assert psutil.wait_procs(family, timeout=10)[1] == []
