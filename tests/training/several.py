"""Several real processes with the environment that torchrun would give them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# A server that has imported the heavy libraries once, and that processes are forked from in no time.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["torch", "transformers.models.bert.modeling_bert", "safetensors.torch"])


def run_processes(count: int, function: Callable[..., None], *arguments: Any) -> None:
    """Call ``function(*arguments)`` in each of ``count`` processes; all must succeed within two minutes."""
    from torch.distributed import TCPStore

    # The processes meet at a store of the one that starts them, as under torchrun: its port is open from the start.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    given = [(rank, count, store.port, function, arguments) for rank in range(count)]
    processes = [_CONTEXT.Process(target=_call, args=each) for each in given]
    for process in processes:
        process.start()
    end = time.monotonic() + 120
    for process in processes:
        process.join(max(0, end - time.monotonic()))
    for process in processes:
        process.kill()  # one that waits for another that failed; without effect on one that ended
        process.join()
    assert [process.exitcode for process in processes] == [0] * count


def start_process(function: Callable[..., None], *arguments: Any) -> multiprocessing.process.BaseProcess:
    """Start ``function(*arguments)`` in one process and return it, running."""
    process = _CONTEXT.Process(target=_call_alone, args=(function, arguments))
    process.start()
    return process


def kill_with_a_checkpoint(checkpoints: Path, function: Callable[..., None], *arguments: Any) -> Path:
    """Start a training, end it by kill -9 as soon as it has a checkpoint, and return the checkpoint that is left."""
    process = start_process(function, *arguments)
    while not list(checkpoints.glob("*/step-*")):
        assert process.is_alive()
        time.sleep(0.002)
    process.kill()
    process.join()
    (left,) = checkpoints.glob("*/step-*")
    return left


def _call_alone(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    import torch

    torch.set_num_threads(1)
    function(*arguments)


def _call(rank: int, count: int, port: int, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    _call_alone(function, arguments)
