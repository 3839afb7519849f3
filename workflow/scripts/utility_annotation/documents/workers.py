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
MEMORY = 4 << 30
"""Bytes of address space of a process. A job that takes more than it asked for is ended whole by its scheduler."""
_WAITING = 8
"""Items per process that are handed over at a time."""


def each(
    function: Callable[[_Item], _Result], items: Iterable[_Item], processes: int, seconds: int = SECONDS
) -> Iterator[tuple[_Item, _Result | None]]:
    """Each item with the function's result, in order; None where the call crashed its process, needed more memory
    than it may have, or took too long.

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
                waiting.append((item, _handed_over(pool, function, item, seconds)))
            if not waiting:
                return
            item, future = waiting[0]
            try:
                result = _result(future)
            except BrokenProcessPool:
                pool.shutdown()
                yield from _one_by_one(function, waiting, seconds)
                waiting.clear()
                pool = _pool(processes)
                continue
            waiting.popleft()
            yield item, result
    finally:
        pool.shutdown(cancel_futures=True)


def _handed_over(
    pool: ProcessPoolExecutor, function: Callable[[_Item], _Result], item: _Item, seconds: int
) -> Future[_Result]:
    """A call. Where a process crashed since the last one, its future says so, and nothing is raised here."""
    try:
        return pool.submit(_limited, function, item, seconds)
    except BrokenProcessPool as error:
        failed: Future[_Result] = Future()
        failed.set_exception(error)
        return failed


def _one_by_one(
    function: Callable[[_Item], _Result], waiting: Iterable[tuple[_Item, Future[_Result]]], seconds: int
) -> Iterator[tuple[_Item, _Result | None]]:
    """What is finished, and the rest again, each call alone, so that the one that breaks its process is known."""
    pool = _pool(1)
    try:
        for item, future in waiting:
            try:
                again = isinstance(future.exception(), BrokenProcessPool)
                result = _result(_handed_over(pool, function, item, seconds) if again else future)
            except BrokenProcessPool:
                result = None
                pool.shutdown()
                pool = _pool(1)
            yield item, result
    finally:
        pool.shutdown()


def _result(future: Future[_Result]) -> _Result | None:
    try:
        return future.result()
    except MemoryError:
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
