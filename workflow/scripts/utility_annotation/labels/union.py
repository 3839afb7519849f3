"""Labels of source ``union``: what any of several label sets says of a candidate.

It is positive if any calls it positive, with the highest grade that any gives it. If none does, it is ignored if any
ignores it: another one's negative does not settle the doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..io.label_values import NEGATIVE, ignoring, is_ignored
from ..settings import Labels
from .members import label_by_members
from .rows import LabelRows
from .shards import LabelledShard, Merged, lengths_of, read_candidates


def unite_labels(
    settings: Labels, pools: Sequence[Path | str], members: Sequence[Path | str], output: Path | str
) -> Merged:
    """Write the label of each candidate by all members, see :func:`~.labels.shards.write_labels`.

    The first member's list comes first, then the second member's additions, and so on.

    A query that only some members label (a subset, or after a failed reply) gets the labels of these. A query that no
    member labels is left out and counted.

    The arguments and errors are those of :func:`.members.label_by_members`.
    """
    hint = "raise `queries.percent` of these labels, or unite label sets that have some of these queries."
    return label_by_members(settings, pools, members, output, _unite_shard, hint)


def _unite_shard(files: Sequence[LabelRows], path: Path | str, chosen: np.ndarray) -> LabelledShard:
    pool = read_candidates(path)
    lengths = lengths_of(pool["candidates"])
    united = np.full(int(lengths.sum()), NEGATIVE, np.float32)
    ignored = np.zeros(len(united), bool)
    ranks = np.zeros(len(united), np.int32)
    known = np.zeros(len(lengths), bool)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    listed = np.zeros(len(lengths), np.int32)  # the highest rank so far, per query
    for file in files:
        labelled, labels, own_ranks = file.of_shard(pool, path)
        places = np.flatnonzero(labelled[owners])
        united[places] = np.maximum(united[places], labels)
        ignored[places] |= is_ignored(labels)
        new = (ranks[places] == 0) & (own_ranks > 0)
        ranks[places[new]] = own_ranks[new] + listed[owners[places[new]]]
        np.maximum.at(listed, owners, ranks)
        known |= labelled
    left_out = Counter({"labelled by no member": int(np.count_nonzero(chosen & ~known))})
    return LabelledShard.of_pool(pool, chosen & known, ignoring(united, ignored), ranks, +left_out)
