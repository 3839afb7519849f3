"""Labels of source ``cascade``: the first of several label sets that labels a question decides it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..common.progress import counted
from ..settings import Labels
from .rows import LabelRows
from .shards import LabelledShard, Merged, chosen_queries, lengths_of, read_candidates, write_labels
from .union import check_members


def label_by_cascade(settings: Labels, pools: Sequence[Path], members: Sequence[Path], output: Path) -> Merged:
    """Write the labels of each question by its first member, whose name is the ``source`` of the row.

    Args:
        settings: the members' names, and the queries chosen from the pool.
        pools: the pool's shards.
        members: the members' label files, of schema ``LABELS``, in the order of ``settings.of``. Each labels questions
            of the pool, or of a part of it.
        output: the file to write.

    Raises:
        InputError: the files do not belong together, or no query is left.
    """
    check_members(settings, members)
    files = [LabelRows(member) for member in members]
    chosen = chosen_queries(pools, settings.queries)
    shards = [
        _decided(settings.of, files, pool, mask)
        for pool, mask in counted(list(zip(pools, chosen, strict=True)), "labelling", "shards")
    ]
    for file in files:
        file.check_all_found()
    return write_labels(shards, settings.source, output, "add a label set that has some of these questions to `of`.")


def _decided(names: Sequence[str], files: Sequence[LabelRows], path: Path, chosen: np.ndarray) -> LabelledShard:
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
