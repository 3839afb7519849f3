"""Program of test_vllm_engine.py, run by the interpreter that has vLLM: one start of the engine serves many requests.

Takes a JSON file with the settings and the requests of each call. Leaves a file with one JSON line a result, in the
order in which the engine hands them over. In the middle of the last call it kills vLLM's engine.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from utility_annotation.common.errors import InputError, run_script
from utility_annotation.engines import vllm_engine
from utility_annotation.engines.opening import open_engine
from utility_annotation.engines.protocol import Continuation, ReplyRequest
from utility_annotation.settings import Annotator, Performance


def refusal_without_a_gpu() -> str:
    """What vLLM's build for GPUs is told where there is none, with "no platform" put in place of the CPU."""
    import vllm.entrypoints.llm
    import vllm.platforms
    from vllm.platforms.interface import UnspecifiedPlatform

    usual = vllm.platforms.current_platform
    vllm.platforms._current_platform = UnspecifiedPlatform()
    try:
        vllm_engine._platform()
    except InputError as error:
        return str(error)
    finally:
        vllm.platforms._current_platform = usual
    return "none"


def main(argv: list[str] | None) -> None:
    """Run the calls of the file named first, write the results to the one named second."""
    given, results = map(Path, argv or sys.argv[1:])
    job = json.loads(given.read_text())
    with results.open("w", buffering=1) as lines:

        def write(call: str, **fields: Any) -> None:
            lines.write(json.dumps({"call": call, **fields}) + "\n")

        def write_all(call: str, handed_over: Iterator[tuple[int, Any]]) -> None:
            for index, result in handed_over:
                write(call, index=index, kind=type(result).__name__, **asdict(result))

        write("without a GPU", text=refusal_without_a_gpu())
        engine = open_engine(Annotator(**job["annotator"]), job["model"], Performance())
        write("fingerprint", text=engine.fingerprint)
        for call, requests in job["generate"].items():
            write_all(call, engine.generate(TypeAdapter(list[ReplyRequest]).validate_python(requests)))
        for call, requests in job["log_likelihood"].items():
            write_all(call, engine.log_likelihood(TypeAdapter(list[Continuation]).validate_python(requests)))
        last = engine.generate(TypeAdapter(list[ReplyRequest]).validate_python(job["killed"]))
        write_all("killed", iter([next(last)]))
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)
        write_all("killed", last)


if __name__ == "__main__":
    run_script(main)
