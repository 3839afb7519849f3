"""Reading the metrics files that tables and charts show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.files import read_json
from ..common.importing import large_packages

with large_packages():
    import pandas as pd

KEY = ["backbone", "training", "column", "metric"]
"""What names a figure; the column is a test set, an average, or ``QA/GENERATOR``."""

_FIGURE = ["value", "queries", "per_query", "weights"]


def read_metrics(
    paths: Sequence[Path | str],
    wanted: Collection[tuple[str, str, str]],
    per_query: Sequence[Path | str] | None = None,
) -> pd.DataFrame:
    """The figures of metrics files, one per line.

    Args:
        paths: the files.
        wanted: backbone, training and column of those that belong here.
        per_query: files of per-query values; the i-th belongs to the i-th metrics file.

    Returns:
        The columns of ``KEY``, ``value`` (percent), ``queries`` (their number), ``per_query`` (the file) and, for an
        average, ``weights`` of its test sets.

    Raises:
        InputError: a file does not belong here, is given twice, or lacks its per-query file.
    """
    if per_query is not None and len(per_query) != len(paths):
        raise InputError(
            f"{len(paths)} metrics files come with {len(per_query)} files of per-query values.",
            hint="give one of each for each training and test set, in the same order.",
        )
    known = set()
    lines = []
    for path, values in zip_longest(paths, per_query or ()):
        found: Any = read_json(path)
        column = f"{found['qa']}/{found['generator']}" if "qa" in found else found["testset"]
        place = (found["backbone"], found["training"], column)
        if place not in wanted or place in known:
            what = "is given twice for" if place in known else "has no place in"
            raise InputError(
                f"training {place[1]} of backbone {place[0]} on {column} {what} this table or figure.",
                hint="give the metrics of its own backbones, trainings and columns, once each.",
                path=path,
            )
        known.add(place)
        figures = found["metrics"].items()
        lines += [(*place, name, 100 * x, found["queries"], values, found.get("weights")) for name, x in figures]
    return pd.DataFrame(lines, columns=[*KEY, *_FIGURE]).astype(dict.fromkeys(KEY, "str") | {"value": "float64"})
