"""A Python with large packages imported, which forks for every job of a run, so that a test waits for work alone.

``serve`` listens on a socket. ``main`` is the program ``python`` of a run, see workflow_copy.py: it hands over a job's
arguments, folder, environment and open streams, and ends with its exit code. The job imports the workflow's own library
from its folder. What is no script of the workflow gets a Python of its own.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

LARGE = (
    "numpy",
    "orjson",
    "pandas",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pydantic",
    "jinja2",
    "yaml",
    "scipy.optimize",
    "scipy.stats",
    "matplotlib.figure",
    "torch",
    "torch.distributed",
    "safetensors.torch",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
)
"""What jobs import beside the workflow's own library."""
SCRIPTS = "workflow/scripts/"
LARGEST_REQUEST = 2**17


def serve(address: str) -> None:
    """Run jobs until the end of standard input."""
    import gc
    import importlib

    gc.disable()
    for module in LARGE:
        importlib.import_module(module)
    gc.freeze()  # what is shared stays shared after a fork
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(address)
        server.listen()
        while select.select([server, sys.stdin], [], [])[0] == [server]:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _watch(connection)
            connection.close()


def _watch(connection: socket.socket) -> NoReturn:
    """Start a job, answer with its exit code, and kill it if nobody waits for it any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, 3)
    job = os.fork()
    if job == 0:
        connection.close()
        _become(**json.loads(request), streams=streams)
    end = os.pidfd_open(job)
    if end in select.select([connection, end], [], [])[0]:
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])).encode())
    else:
        os.kill(job, signal.SIGKILL)
    os._exit(0)


def _become(folder: str, arguments: list[str], environment: dict[str, str], streams: list[int]) -> NoReturn:
    """Run a script as its own process would."""
    import runpy

    def script() -> None:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")

    run_and_leave(script)


def run_and_leave(run: Callable[[], object]) -> NoReturn:
    """End a forked process with the exit code that ``run`` would give a program."""
    code: object = 1
    try:
        run()
        code = 0
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def main(address: str, python: str, *arguments: str) -> int:
    """Have a job run, and wait for it."""
    if not arguments or not arguments[0].startswith(SCRIPTS):
        os.execv(python, [python, *arguments])
    request = json.dumps({"folder": os.getcwd(), "arguments": arguments, "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(address)
        socket.send_fds(connection, [request], [0, 1, 2])
        code = int(connection.recv(16) or 1)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit({"serve": serve, "main": main}[sys.argv[1]](*sys.argv[2:]))
