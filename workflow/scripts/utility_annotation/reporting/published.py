"""The paper's own figures, to stand beside ours: resources/paper/published.csv, one line a cell."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..common.errors import InputError

_COLUMNS = ("table", "backbone", "row", "column", "metric", "value", "doubtful")


class Place(NamedTuple):
    """Where a figure stands: the row of a backbone (table 1: of an annotator), and the metric of a column, which is a
    test set or ``QA/GENERATOR``, and empty where a table has no test sets."""

    backbone: str
    row: str
    column: str
    metric: str


@dataclass(frozen=True)
class Figure:
    """A published figure, in the paper's unit (percent for all metrics).

    Attributes:
        value: the figure.
        doubtful: whether it was hard to read in the source.
    """

    value: float
    doubtful: bool


def read_published(path: Path | str, table: str) -> dict[Place, Figure]:
    """The figures of one of the paper's tables.

    Raises:
        InputError: the file is no such file, a figure is no number or stands twice, or it has no such table.
    """
    figures: dict[Place, Figure] = {}
    for line, (number, place, figure) in enumerate(_figures(Path(path)), 2):
        if number != table:
            continue
        if place in figures:
            raise InputError(f"{', '.join(place)} stands twice.", hint="keep one of the lines.", path=path, line=line)
        figures[place] = figure
    if not figures:
        raise InputError(f"there is no table {table!r}.", hint="correct the table's `published`.", path=path)
    return figures


def figures_beside(table: str | None, path: Path | str | None) -> dict[Place, Figure]:
    """The figures that are to stand beside ours.

    Args:
        table: a table's setting ``published``.
        path: the file, if it was given.

    Raises:
        InputError: see :func:`read_published`; or they are asked for and not given.
    """
    if table is None:
        return {}
    if path is None:
        raise InputError("this table has `published`, but the paper's figures are not given.", hint="give --published.")
    return read_published(path, table)


def _figures(path: Path) -> Iterator[tuple[str, Place, Figure]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise InputError(
                f"it has not the columns {', '.join(_COLUMNS)}.",
                hint="restore the file from the repository.",
                path=path,
            )
        for line, row in enumerate(reader, 2):
            try:
                figure = Figure(float(row["value"]), {"true": True, "false": False}[row["doubtful"]])
            except (ValueError, KeyError):
                raise InputError(
                    f"value {row['value']!r} is no number, or doubtful {row['doubtful']!r} neither true nor false.",
                    hint="correct the line.",
                    path=path,
                    line=line,
                ) from None
            yield row["table"], Place(row["backbone"], row["row"], row["column"], row["metric"]), figure
