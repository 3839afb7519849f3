"""Labels of source ``cascade``: the first of several label sets that labels a question decides it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..settings import Labels
from .members import label_by_members
from .rows import LabelRows
from .shards import LabelledShard, Merged, lengths_of, read_candidates


def label_by_cascade(settings: Labels, pools: Sequence[Path], members: Sequence[Path], output: Path) -> Merged:
    """Write the labels of each question by its first member, whose name is the ``source`` of the row.

    Each member labels questions of the pool, or of a part of it. The other arguments and the errors are those of
    :func:`.members.label_by_members`.
    """
    hint = "add a label set that has some of these questions to `of`."
    return label_by_members(settings, pools, members, output, partial(_decided, settings.of), hint)


def _decided(names: Sequence[str], files: Sequence[LabelRows], path: Path | str, chosen: np.ndarray) -> LabelledShard:
    pool = read_candidates(path)
    lengths = lengths_of(pool["candidates"])
    owners = np.repeat(np.arange(len(lengths)), lengths)
    by = np.full(len(lengths), -1)
    labels, ranks = np.zeros(len(owners), np.float32), np.zeros(len(owners), np.int32)
    for number, file in enumerate(files):
        labelled, own_labels, own_ranks = file.of_shard(pool, path)
        new = labelled & (by < 0)
        by[new] = number
        here, among = new[owners], new[owners[labelled[owners]]]
        labels[here], ranks[here] = own_labels[among], own_ranks[among]
    left_out = Counter({"labelled by no member": int(np.count_nonzero(chosen & (by < 0)))})
    shard = LabelledShard.of_pool(pool, chosen & (by >= 0), labels, ranks, +left_out)
    return shard.with_sources([names[place] if place >= 0 else "" for place in by])
