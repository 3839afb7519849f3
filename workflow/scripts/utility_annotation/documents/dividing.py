"""Documents divided into passages, by several processes at a time."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ..common.errors import InputError
from .blocks import Block
from .passages import Passage, Splitter

_Kept = TypeVar("_Kept")

_WAITING = 8
"""Documents per process that are handed over at a time."""


def divided(
    documents: Iterable[tuple[_Kept, str, Sequence[Block]]], splitter: Splitter, processes: int
) -> Iterator[tuple[_Kept, list[Passage]]]:
    """The passages of each document, in order.

    Args:
        documents: what is kept of a document here and comes back with its passages, its title, and its blocks; read as
            they are needed.
        splitter: divides a document.
        processes: how many at a time; with one, no other is started.

    Raises:
        InputError: a process was ended.
    """
    if processes == 1:
        for kept, title, blocks in documents:
            yield kept, list(splitter.passages(title, blocks))
        return
    try:
        yield from _by_several(documents, splitter, processes)
    except BrokenProcessPool:
        raise InputError(
            "a process that divides documents was ended, perhaps because memory ran out.",
            hint="lower `performance.threads`, or give the job more memory.",
        ) from None


def _by_several(
    documents: Iterable[tuple[_Kept, str, Sequence[Block]]], splitter: Splitter, processes: int
) -> Iterator[tuple[_Kept, list[Passage]]]:
    waiting: deque[tuple[_Kept, Future[list[Passage]]]] = deque()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin, (splitter,)) as pool:
        for kept, title, blocks in documents:
            waiting.append((kept, pool.submit(_passages, title, blocks)))
            if len(waiting) == _WAITING * processes:
                kept, future = waiting.popleft()
                yield kept, future.result()
        for kept, future in waiting:
            yield kept, future.result()


_SPLITTER: Splitter
"""That of a process of the pool, which gets it once and not with each document."""


def _begin(splitter: Splitter) -> None:
    global _SPLITTER
    _SPLITTER = splitter


def _passages(title: str, blocks: Sequence[Block]) -> list[Passage]:
    return list(_SPLITTER.passages(title, blocks))
