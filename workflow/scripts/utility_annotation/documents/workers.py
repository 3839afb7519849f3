"""Calls of a function in processes of their own, which may hang or crash without harm to the others."""

from __future__ import annotations

import multiprocessing
import resource
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

SECONDS = 300
"""What takes longer is ended."""
MEMORY = 8 << 30
"""Bytes of address space of a process."""
_WAITING = 8
"""Items per process that are handed over at a time."""


def each(
    function: Callable[[_Item], _Result], items: Iterable[_Item], processes: int, seconds: int = SECONDS
) -> Iterator[tuple[_Item, _Result | None]]:
    """Each item with the function's result, in order; None where the call crashed its process or took too long.

    Args:
        function: of a module; its items and results are pickled between our own processes.
        items: read as they are needed.
        processes: how many at a time.
        seconds: that a call may take.
    """
    left, pool = iter(items), _pool(processes)
    waiting: deque[tuple[_Item, Future[_Result]]] = deque()
    try:
        while True:
            for item in islice(left, max(0, _WAITING * processes - len(waiting))):
                waiting.append((item, pool.submit(_limited, function, item, seconds)))
            if not waiting:
                return
            item, future = waiting[0]
            try:
                result: _Result | None = future.result()
            except BrokenProcessPool:
                pool.shutdown()
                again = [item for item, _ in waiting]
                waiting.clear()
                for item in again:  # alone, so that the one that breaks its process is known
                    yield item, _alone(function, item, seconds)
                pool = _pool(processes)
                continue
            waiting.popleft()
            yield item, result
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(function: Callable[[_Item], _Result], item: _Item, seconds: int) -> _Result | None:
    with _pool(1) as pool:
        try:
            return pool.submit(_limited, function, item, seconds).result()
        except BrokenProcessPool:
            return None


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_limit_memory)


def _limit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard < 0 else min(MEMORY, hard), hard))


def _limited(function: Callable[[_Item], _Result], item: _Item, seconds: int) -> _Result:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process, also within a library in C
    signal.alarm(seconds)
    try:
        return function(item)
    finally:
        signal.alarm(0)
