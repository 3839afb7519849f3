"""Program of test_vllm_engine.py, run by the interpreter that has vLLM: its engine dies, for want of memory or killed.

Takes a JSON file with the settings and the requests of each call. Leaves a file with one JSON line a result, in the
order in which the engine hands them over, and the number of starts.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from pydantic import TypeAdapter

from utility_annotation.common.errors import run_script
from utility_annotation.engines import vllm_engine
from utility_annotation.engines.protocol import Continuation
from utility_annotation.settings import Annotator, Performance

ROOM = 240 * 2**20
"""Memory (bytes) that an engine may take beyond what it has once it is started."""


class Frail(vllm_engine.VllmEngine):
    """Its processes may not grow by more than ``ROOM``; and if so told, each is killed as soon as it has started."""

    starts = 0
    doomed = False

    def _start(self) -> None:
        super()._start()
        self.starts += 1
        for process in engine_processes():
            limit = process.memory_info().vms + ROOM
            process.rlimit(resource.RLIMIT_AS, (limit, limit))
        if self.doomed:
            kill_engine()


def engine_processes() -> list[psutil.Process]:
    """Those of vLLM's engine, the workers that hold the model included."""
    engines = [psutil.Process(child.pid) for child in multiprocessing.active_children()]
    return engines + [worker for engine in engines for worker in engine.children(recursive=True)]


def kill_engine() -> None:
    """As the kernel does it when the machine's memory is used up."""
    for process in multiprocessing.active_children():
        os.kill(process.pid, signal.SIGKILL)


def main(argv: list[str] | None) -> None:
    """Run the calls of the file named first, write the results to the one named second."""
    given, results = map(Path, argv or sys.argv[1:])
    job = json.loads(given.read_text())
    requests = {name: TypeAdapter(list[Continuation]).validate_python(of) for name, of in job["requests"].items()}
    with results.open("w", buffering=1) as lines:

        def write_all(call: str, handed_over: Iterator[tuple[int, Any]]) -> None:
            for index, result in handed_over:
                lines.write(json.dumps({"call": call, "index": index, "kind": type(result).__name__, **asdict(result)}))
                lines.write("\n")

        engine = Frail(job["model"], Annotator(**job["annotator"]), Performance())
        write_all("one too many", engine.log_likelihood(requests["one too many"]))
        lines.write(json.dumps({"call": "starts", "number": engine.starts}) + "\n")
        engine.doomed, vllm_engine._MAX_CRASHES = True, 2
        kill_engine()
        write_all("doomed", engine.log_likelihood(requests["doomed"]))


if __name__ == "__main__":
    run_script(main)
