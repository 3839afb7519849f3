"""Labels that are made of other label sets: what a union and a cascade share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..common.errors import InputError
from ..common.progress import counted
from ..settings import Labels
from .rows import LabelRows
from .shards import LabelledShard, Merged, chosen_queries, write_labels

LabelShard = Callable[[Sequence[LabelRows], Path | str, np.ndarray], LabelledShard]
"""From the members' rows, a pool's shard and the mask of its chosen queries to the labels of the shard."""


def label_by_members(
    settings: Labels,
    pools: Sequence[Path | str],
    members: Sequence[Path | str],
    output: Path | str,
    label: LabelShard,
    hint: str,
) -> Merged:
    """Write the labels that members decide, see :func:`~.labels.shards.write_labels`.

    Args:
        settings: the members' names, and the queries chosen from the pool; a member may have chosen fewer.
        pools: the pool's shards.
        members: the members' label files, of schema ``LABELS``, in the order of ``settings.of``.
        output: the file to write.
        label: labels a shard.
        hint: what to do if no query is left.

    Raises:
        InputError: the files do not belong together, or no query is left.
    """
    if len(members) != len(settings.of):
        raise InputError(
            f"{len(members)} label files are given for {len(settings.of)} label sets.",
            hint=f"give one file each for {', '.join(settings.of)}.",
        )
    files = [LabelRows(member) for member in members]
    chosen = chosen_queries(pools, settings.queries)
    pairs = counted(list(zip(pools, chosen, strict=True)), "labelling", "shards")
    shards = [label(files, pool, mask) for pool, mask in pairs]
    for file in files:
        file.check_all_found()
    return write_labels(shards, settings.source, output, hint)
