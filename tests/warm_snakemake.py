"""Snakemake with its imports done: a process that forks for every call, so that a plan takes a second and not five.

Each child runs Snakemake's own command line in its folder, with its arguments and environment, and imports the
workflow's library from that folder. It reads one request per line from standard input and answers with the exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys

from warm_python import run_and_leave

PRELOADED = (
    "snakemake.cli",
    "snakemake.executors.local",
    "snakemake.executors.dryrun",
    "snakemake.report",
    "numpy",
    "orjson",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "yaml",
    "jinja2",
)
"""What a run of Snakemake imports beside the workflow's own library."""


def serve() -> None:
    """Answer requests until there are no more."""
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()  # what is shared stays shared after a fork
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become_snakemake(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become_snakemake(folder: str, arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    def snakemake() -> None:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for stream, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.path[0] = folder  # as `python -m snakemake` has it
        sys.argv = ["snakemake", *arguments]
        importlib.import_module("snakemake.cli").main()

    run_and_leave(snakemake)


if __name__ == "__main__":
    serve()
