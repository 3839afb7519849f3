"""The paper's own figures, to stand beside ours: resources/paper/published.csv, one line per cell."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..common.errors import InputError
from ..common.importing import large_packages

with large_packages():
    import pandas as pd

_COLUMNS = ["table", "backbone", "row", "column", "metric", "value", "doubtful"]


class Place(NamedTuple):
    """Where a figure stands: the row of a backbone (table 1: of an annotator), and the metric of a column, which is a
    test set or ``QA/GENERATOR``, and empty where a table has no test sets."""

    backbone: str
    row: str
    column: str
    metric: str


def read_published(path: Path | str, table: str) -> pd.DataFrame:
    """The figures of one of the paper's tables, by :class:`Place`.

    Returns:
        ``published``: the figure in the paper's unit (percent for all metrics); ``doubtful``: whether it was hard to
        read in the source.

    Raises:
        InputError: the file has other columns, a figure is not a number or is there twice, or the table is not there.
    """
    lines = pd.read_csv(path, dtype="str", keep_default_na=False)
    if list(lines.columns) != _COLUMNS:
        raise InputError(
            f"it does not have the columns {', '.join(_COLUMNS)}.",
            hint="restore the file from the repository.",
            path=path,
        )
    published = pd.to_numeric(lines["value"], errors="coerce")
    doubtful = lines["doubtful"].map({"true": True, "false": False})
    for line, row in lines[published.isna() | doubtful.isna()].iterrows():
        raise InputError(
            f"value {row['value']!r} is not a number, or doubtful {row['doubtful']!r} is neither true nor false.",
            hint="correct the line.",
            path=path,
            line=line + 2,
        )
    wanted = lines["table"] == table
    if not wanted.any():
        raise InputError(f"there is no table {table!r}.", hint="correct the table's `published`.", path=path)
    places = lines.loc[wanted, list(Place._fields)]
    for line, place in places[places.duplicated()].iterrows():
        raise InputError(f"{', '.join(place)} is there twice.", hint="keep one of the lines.", path=path, line=line + 2)
    figures = {"published": published[wanted].to_numpy(), "doubtful": doubtful[wanted].to_numpy(bool)}
    return pd.DataFrame(figures, index=pd.MultiIndex.from_frame(places))


def figures_beside(table: str | None, path: Path | str | None) -> pd.DataFrame:
    """The figures that stand beside ours; none for a table without.

    Args:
        table: a table's setting ``published``.
        path: the file, if it was given.

    Raises:
        InputError: see :func:`read_published`; or they are asked for and not given.
    """
    if table is None:
        return no_figures()
    if path is None:
        raise InputError("this table has `published`, but the paper's figures are not given.", hint="give --published.")
    return read_published(path, table)


def no_figures() -> pd.DataFrame:
    """Figures as :func:`read_published` returns them, of which there are none."""
    index = pd.MultiIndex.from_tuples([], names=Place._fields)
    return pd.DataFrame({"published": [], "doubtful": []}, index=index, dtype="object")
