"""Labels of source ``selector``: a candidate is positive if the probability that a reranker gives it is high enough."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.files import read_json
from ..common.progress import counted
from ..io.schemas import SCORES
from ..settings import Labels, entry
from .calibration import METHODS
from .merge import pair_shards
from .shards import LabelledShard, Merged, chosen_queries, flat, lengths_of, read_candidates, write_labels

logger = logging.getLogger(__name__)


def label_by_selector(
    settings: Labels, pools: Sequence[Path], scores: Sequence[Path], calibration: Path, output: Path
) -> Merged:
    """Write the labels of a pool, see :func:`~.labels.shards.write_labels`; ranks are those of the positives' scores.

    Args:
        settings: method, threshold and subset of queries.
        pools: the pool's shards.
        scores: files of schema ``SCORES``, named as the pool's shards.
        calibration: a file of :func:`..selection.reliability.calibrate`.
        output: the file to write.

    Raises:
        InputError: the files do not belong together, or no query is left.
    """
    chosen = chosen_queries(pools, settings.queries)
    pairs = counted(list(zip(pair_shards(pools, scores), chosen, strict=True)), "labelling", "shards")
    shards = [
        _label(settings, pool, probabilities(settings.method, pool, Path(str(scored)), calibration), keep)
        for (pool, scored), keep in pairs
    ]
    if not any((shard.labels[np.repeat(shard.keep, shard.lengths)] > 0).any() for shard in shards):
        logger.warning(
            "no candidate has a probability of %g or more, so all are negative; %s shows what each threshold keeps "
            "(thresholds), and whether the scores tell positives from negatives (auc)",
            settings.threshold,
            calibration,
        )
    return write_labels(shards, settings.source, output, "raise `queries.percent` of these labels.")


def probabilities(method: str, pool: Path, scores: Path, calibration: Path) -> np.ndarray:
    """The probability of every candidate of a pool's shard, in its order; shape (candidates,).

    Raises:
        InputError: the scores are not those of these candidates.
    """
    found, docids = SCORES.read(scores), pc.struct_field(flat(read_candidates(pool)["candidates"]), "docid")
    if not found["docid"].combine_chunks().equals(docids):
        raise InputError(
            f"these are not the candidates of pool shard {pool}, in its order.",
            hint="delete the file and run the target again, so that they are made from this pool.",
            path=scores,
        )
    chosen = entry(METHODS, method, "method of calibration")
    fitted = read_json(calibration, "methods")["methods"][method]["fitted"]
    return chosen.probabilities(fitted, found["score"].to_numpy().astype(np.float64))


def of_shards(method: str, scores: Sequence[Path], calibration: Path) -> Callable[[Path], np.ndarray]:
    """:func:`probabilities` as a function of a pool's shard; the files of scores are named as the shards."""
    named = {path.name: path for path in scores}
    return lambda pool: probabilities(method, pool, named[pool.name], calibration)


def _label(settings: Labels, path: Path, found: np.ndarray, keep: np.ndarray) -> LabelledShard:
    pool = read_candidates(path)
    lengths = lengths_of(pool["candidates"])
    owners = np.repeat(np.arange(len(lengths)), lengths)
    positive = found >= settings.threshold
    order = np.lexsort((-found, ~positive, owners))
    ranks = np.empty(len(found), np.int32)
    ranks[order] = np.arange(len(found)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    return LabelledShard.of_pool(pool, keep, positive.astype(np.float32), np.where(positive, ranks, 0), Counter())
