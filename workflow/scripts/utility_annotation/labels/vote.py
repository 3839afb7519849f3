"""Labels of source ``vote``: several label sets vote on each candidate, with weights or by how far they can be trusted.

A member that ignores a candidate, or does not label its query, does not vote on it. A candidate on which no member of a
labelled query votes is ignored.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..common.errors import InputError
from ..io.label_values import is_ignored, is_positive, judgements
from ..settings import Labels
from .dawid_skene import LabellerModel, dawid_skene
from .members import label_by_members
from .rows import LabelRows
from .shards import LabelledShard, Merged, chosen_queries, lengths_of, read_candidates

logger = logging.getLogger(__name__)

Probability = Callable[[np.ndarray], np.ndarray]
"""From votes, as :func:`_votes` returns them, to the probability that each candidate is positive; shape (candidates,).
NaN where nobody votes."""


def label_by_vote(
    settings: Labels, pools: Sequence[Path | str], members: Sequence[Path | str], output: Path | str
) -> Merged:
    """Write the label that a vote gives each candidate, see :func:`~.labels.shards.write_labels`.

    By ``share``, a candidate is positive if the members that call it so have at least ``threshold`` of the weight of
    those that vote. By ``dawid-skene``, if its probability by :func:`.dawid_skene.dawid_skene` is at least that. The
    list of a query has its positives, the most probable one first.

    A query that no member labels is left out and counted. The arguments and errors are those of
    :func:`.members.label_by_members`.
    """
    hint = "raise `queries.percent` of these labels, or let label sets vote that have some of these queries."
    weights = np.array([settings.weights.get(name, 1.0) for name in settings.of])
    probability: Probability = partial(_share, weights)
    if settings.voting == "dawid-skene":
        probability = _by_model(*_model(settings, pools, members))
    label = partial(_label_shard, probability, settings.threshold)
    return label_by_members(settings, pools, members, output, label, hint)


def members_of_vote(
    settings: Labels, pools: Sequence[Path | str], members: Sequence[Path | str]
) -> dict[str, dict[str, float]]:
    """How far each member can be trusted, by the model of Dawid and Skene, ready for JSON; shares from 0 to 1.

    By name: ``accuracy``, ``sensitivity`` and ``specificity``, see :class:`.dawid_skene.LabellerModel`. Empty for fewer
    than three members, of whom the model cannot tell who is right.
    """
    if len(settings.of) < FEWEST_MEMBERS:
        return {}
    _, model = _model(settings, pools, members)
    figures = zip(settings.of, model.accuracy, model.sensitivity, model.specificity, strict=True)
    names = ("accuracy", "sensitivity", "specificity")
    return {name: dict(zip(names, map(float, values), strict=True)) for name, *values in figures}


FEWEST_MEMBERS = 3
"""With two labellers who differ, nothing says who is right."""


def _votes(files: Sequence[LabelRows], pool: pa.Table, path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """1 for positive, 0 for negative and NaN for no vote, shape (members, candidates); which queries are labelled."""
    lengths = lengths_of(pool["candidates"])
    owners = np.repeat(np.arange(len(lengths)), lengths)
    votes = np.full((len(files), len(owners)), np.nan, np.float32)
    known = np.zeros(len(lengths), bool)
    for row, file in zip(votes, files, strict=True):
        labelled, labels, _ = file.of_shard(pool, path)
        row[labelled[owners]] = np.where(is_ignored(labels), np.nan, is_positive(labels))
        known |= labelled
    return votes, known


def _share(weights: np.ndarray, votes: np.ndarray) -> np.ndarray:
    voting = ~np.isnan(votes)
    total = weights @ voting
    return np.divide(weights @ np.nan_to_num(votes), total, out=np.full(len(total), np.nan), where=total > 0)


def _codes(votes: np.ndarray) -> np.ndarray:
    """A number for each pattern of votes; 0 where nobody votes."""
    places = 3 ** np.arange(len(votes), dtype=np.int64)
    return places @ np.where(np.isnan(votes), 0, votes + 1).astype(np.int64)


def _pattern(code: int, members: int) -> Iterator[float]:
    """The votes of a number of :func:`_codes`."""
    for _ in range(members):
        code, digit = divmod(code, 3)
        yield digit - 1 if digit else np.nan


def _model(
    settings: Labels, pools: Sequence[Path | str], members: Sequence[Path | str]
) -> tuple[np.ndarray, LabellerModel]:
    """The numbers of all patterns, ascending, and the model of them."""
    files, counts = [LabelRows(member) for member in members], Counter[int]()
    for path, chosen in zip(pools, chosen_queries(pools, settings.queries), strict=True):
        pool = read_candidates(path)
        votes, _ = _votes(files, pool, path)
        kept = np.repeat(chosen, lengths_of(pool["candidates"]))
        counts.update(
            dict(zip(*map(np.ndarray.tolist, np.unique(_codes(votes[:, kept]), return_counts=True)), strict=True))
        )
    del counts[0]
    if not counts:
        raise InputError(
            f"none of {', '.join(settings.of)} calls a candidate positive or negative.",
            hint="let label sets vote that have some of these queries.",
        )
    codes = np.array(sorted(counts), np.int64)
    ratings = np.array([list(_pattern(int(code), len(files))) for code in codes]).reshape(len(codes), len(files)).T
    model = dawid_skene(ratings, np.array([counts[int(code)] for code in codes], float))
    for name, accuracy in zip(settings.of, model.accuracy, strict=True):
        logger.info("%s is right on %.1f %% of the candidates, by the model", name, 100 * accuracy)
    return codes, model


def _by_model(codes: np.ndarray, model: LabellerModel) -> Probability:
    def probability(votes: np.ndarray) -> np.ndarray:
        found = _codes(votes)
        places = np.searchsorted(codes, found).clip(max=max(0, len(codes) - 1))
        return np.where(found > 0, model.probability[places], np.nan)

    return probability


def _label_shard(
    probability: Probability, threshold: float, files: Sequence[LabelRows], path: Path | str, chosen: np.ndarray
) -> LabelledShard:
    pool = read_candidates(path)
    lengths = lengths_of(pool["candidates"])
    votes, known = _votes(files, pool, path)
    found = probability(votes)
    positive = found >= threshold
    left_out = Counter({"labelled by no member": int(np.count_nonzero(chosen & ~known))})
    labels = judgements(positive, np.isnan(found))
    return LabelledShard.of_pool(pool, chosen & known, labels, _ranks(found, positive, lengths), +left_out)


def _ranks(probability: np.ndarray, positive: np.ndarray, lengths: Any) -> np.ndarray:
    """The place of each positive among its query's, the most probable one first; 0 for others."""
    owners = np.repeat(np.arange(len(lengths)), lengths)
    places = np.flatnonzero(positive)
    order = places[np.lexsort((-probability[places], owners[places]))]
    _, first, number = np.unique(owners[order], return_index=True, return_counts=True)
    ranks = np.zeros(len(positive), np.int32)
    ranks[order] = 1 + np.arange(len(order)) - np.repeat(first, number)
    return ranks
