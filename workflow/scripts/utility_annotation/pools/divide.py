"""A part of a pool: questions of a share, or those of which a selector is unsure, with the pool's own candidates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..common.errors import InputError
from ..common.hashing import random_order
from ..io.schemas import POOL
from ..labels.shards import lengths_of, read_candidates
from ..settings import PoolSource
from .shards import shard_of

logger = logging.getLogger(__name__)

Probabilities = Callable[[Path], np.ndarray]
"""From a pool's shard to the probability of each of its candidates, in its order."""


def divide(
    source: PoolSource, parents: Sequence[Path], outputs: Sequence[Path], probabilities: Probabilities | None
) -> int:
    """Write the shards of a part of a pool, and return the number of its questions.

    The candidates of a question keep their order, so that an LLM is shown what it would be shown of the whole pool.

    Args:
        source: which questions are taken.
        parents: the shards of the whole pool.
        outputs: one file per shard of the part, in order.
        probabilities: those of the selector that may be unsure; None where questions are taken by their share alone.

    Raises:
        InputError: the share has no question.
    """
    taken, number = chosen(source, parents, probabilities), 0
    with ExitStack() as stack:
        shards = [stack.enter_context(POOL.writer(output)) for output in outputs]
        for path in parents:
            table = POOL.read(path)
            names = table["query_id"].to_pylist()
            places = np.array([shard_of(each, len(outputs)) if each in taken else -1 for each in names], np.int64)
            for place, shard in enumerate(shards):
                shard.write(table.filter(pa.array(places == place)))
            number += len(names)
    logger.info("%d of %d questions", len(taken), number)
    return len(taken)


def chosen(source: PoolSource, parents: Sequence[Path], probabilities: Probabilities | None) -> set[str]:
    """The questions of a part of a pool. Arguments and errors are those of :func:`divide`."""
    questions = [POOL.read(path, ["query_id"])["query_id"].to_pylist() for path in parents]
    everything = [query_id for names in questions for query_id in names]
    share = set(random_order(everything, source.seed)[source.share(len(everything))])
    if not share:
        raise InputError(
            f"{source.percent[0]:g} to {source.percent[1]:g} % of the {len(everything):,} questions of pool "
            f"{source.pool!r} is none.",
            hint="widen `source.percent` of this pool.",
        )
    if probabilities is None:
        return share
    return _unsure(source.between, share, questions, [probabilities(path) for path in parents], parents)


def _unsure(
    between: tuple[float, float],
    share: set[str],
    questions: Sequence[Sequence[str]],
    probabilities: Sequence[np.ndarray],
    parents: Sequence[Path],
) -> set[str]:
    """The questions of a share of which the selector is unsure; at least one, the least sure of all."""
    low, high = between
    distance: dict[str, float] = {}  # to the middle, of the closest candidate
    for path, names, found in zip(parents, questions, probabilities, strict=True):
        ends = np.cumsum(lengths_of(read_candidates(path)["candidates"]))
        for query_id, own in zip(names, np.split(found, ends[:-1]), strict=True):
            if query_id in share and len(own):
                distance[query_id] = float(np.abs(own - (low + high) / 2).min())
    unsure = {query_id for query_id, value in distance.items() if value <= (high - low) / 2}
    if not unsure:
        logger.warning("no probability lies from %g to %g, so the least sure question alone is taken", low, high)
        unsure = {min(distance, key=lambda query_id: (distance[query_id], query_id))}
    return unsure
