"""One shape for every table: a tidy frame of cells, read and written as CSV, and laid out for the writers of each form.

A frame has one line for each row and column of a table. Its first columns name the row. The others are, for all tables:

- ``group``, ``group_title``: number and heading of the group to which the row belongs.
- ``column``, ``metric``: what the column is of, such as a test set, and the metric that it shows.
- ``queries``: number of queries behind the figure.
- ``value``, ``decimals``: the figure, and with how many decimals it is shown; metrics are in percent.
- ``standing``: ``best`` or ``second`` of its column, as far as the decimals show.
- ``marks``: any of ``+``, ``−``, ``†``.
- ``p_baseline``, ``p_second_baseline``: p-values of the tests behind the marks.
- ``published``, ``doubtful``, ``difference``: the paper's figure, whether it was hard to read in its source, and ours
  minus the paper's.

What is not known is empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from ..common.files import atomic_write
from ..common.importing import large_packages
from ..evaluation.answer_metrics import ANSWER_METRICS
from ..evaluation.metric_names import METRICS
from ..settings import BM25

with large_packages():
    import pandas as pd

_TYPES = {
    "group": "int64",
    "group_title": "str",
    "column": "str",
    "metric": "str",
    "queries": "Int64",
    "value": "float64",
    "decimals": "int64",
    "standing": "str",
    "marks": "str",
    "p_baseline": "float64",
    "p_second_baseline": "float64",
    "published": "float64",
    "doubtful": "bool",
    "difference": "float64",
}
_EMPTY = {"str": "", "int64": 0, "bool": False}

_PAGE_WIDTH = 96  # characters that a page holds side by side
_FIGURE_WIDTH, _PUBLISHED_WIDTH = 7, 12  # of them for "45.0" with marks, and for "38.6? (−0.4)"

_OTHER_METRICS = {
    "positives_per_query": "Positives per query",
    "kappa": "Kappa",
    "empty": "Empty",
    "unparsable": "Unparsable",
    "cost_usd": "Cost (USD)",
    "device_hours": "GPU hours",
}

Column = tuple[str, str]
"""What a column is of, and its metric."""


class Row(NamedTuple):
    """A row as text.

    Attributes:
        heads: its names; the backbone stands only where its block begins.
        group_title: heading of its group.
        starts_group: whether the row is the first of its group.
        starts_block: whether it is the first of its backbone.
        cells: by column, each a line of :func:`with_texts`.
    """

    heads: Sequence[str]
    group_title: str
    starts_group: bool
    starts_block: bool
    cells: Mapping[Column, Any]


@dataclass(frozen=True)
class Table:
    """A table for the writers.

    Attributes:
        title: its heading.
        heads: by heading, the column of ``cells`` that names the rows.
        cells: the tidy frame.
        notes: what the reader has to know, a sentence or two per entry.
    """

    title: str
    heads: Mapping[str, str]
    cells: pd.DataFrame
    notes: Sequence[str]

    @property
    def columns(self) -> list[Column]:
        """The columns from left to right."""
        found = self.cells[["column", "metric"]].drop_duplicates()
        return list(found.itertuples(index=False, name=None))

    def rows(self) -> list[Row]:
        """The rows from top to bottom."""
        rows: list[Row] = []
        before: Any = None
        for names, lines in self.cells.groupby(list(self.heads.values()), sort=False):
            cells = list(with_texts(lines).itertuples())
            place = (names[0] if "backbone" in self.cells else "", cells[0].group)
            starts_block = before is None or before[0] != place[0]
            heads = list(map(training_name, names))
            if "backbone" in self.cells and (not starts_block or names[0] == BM25):
                heads[0] = ""
            of_column = {(cell.column, cell.metric): cell for cell in cells}
            rows.append(Row(heads, cells[0].group_title, place != before, starts_block, of_column))
            before = place
        return rows

    def bands(self) -> list[list[Column]]:
        """The columns that fit beside each other on a page; those of one name stay together."""
        heads = self.cells[list(self.heads.values())]
        room = _PAGE_WIDTH - sum(int(heads[name].str.len().max()) for name in heads) if len(heads) else _PAGE_WIDTH
        figure = _PUBLISHED_WIDTH if self.cells["published"].notna().any() else _FIGURE_WIDTH
        bands: list[list[Column]] = []
        left = 0
        for name, columns in by_name(self.columns):
            width = max(len(name), figure * len(columns))
            if not bands or width > left:
                bands.append([])
                left = room
            bands[-1] += columns
            left -= width
        return bands


def by_name(columns: Iterable[Column]) -> list[tuple[str, list[Column]]]:
    """Neighbouring columns of one name, under that name."""
    return [(name, list(group)) for name, group in groupby(columns, key=lambda column: column[0])]


def tidy(cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The frame in its one shape.

    Args:
        cells: a line per cell, row by row, with some of the columns. The others are empty, except ``decimals`` (1) and
            ``difference``, which is computed.
        names: the columns that name a row.
    """
    empty = {"decimals": 1} | {name: _EMPTY.get(kind) for name, kind in _TYPES.items() if name != "decimals"}
    cells = cells.assign(**{name: value for name, value in empty.items() if name not in cells})
    cells["doubtful"] = cells["doubtful"].eq(True)
    cells = cells[[*names, *_TYPES]].astype(dict.fromkeys(names, "str") | _TYPES)
    cells["value"] = cells["value"].map(_rounded)
    cells["difference"] = (cells["value"] - cells["published"]).map(_rounded)
    return cells


def published_notes(table: str | None, cells: pd.DataFrame) -> list[str]:
    """What the reader has to know of the paper's figures, where a table shows any."""
    notes = []
    if table is not None:
        notes.append(
            f"Small, below our figure: the figure in table {table} of the paper, with the difference (ours minus the "
            "paper's) in parentheses. It is shown even where ours was not computed."
        )
    if cells["doubtful"].any():
        notes.append("A question mark (?): the paper's figure was hard to read in its source.")
    return notes


def to_csv(cells: pd.DataFrame, path: Path | str) -> None:
    """Write a tidy frame, one line per cell."""
    with atomic_write(path) as temporary:
        cells.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: Path | str) -> pd.DataFrame:
    """Read the tidy frame that :func:`to_csv` wrote."""
    return pd.read_csv(
        path,
        dtype=defaultdict(lambda: "str", _TYPES),
        na_values={name: [""] for name, kind in _TYPES.items() if kind not in _EMPTY},
        keep_default_na=False,
    )


def with_texts(cells: pd.DataFrame) -> pd.DataFrame:
    """The frame with ``shown``, our figure as text, and ``paper``, the published one with the difference."""
    lines = list(cells.itertuples())
    return cells.assign(
        shown=[as_text(cell.value, cell.decimals) for cell in lines],
        paper=[
            as_text(cell.published, cell.decimals)
            + ("?" if cell.doubtful else "")
            + ("" if pd.isna(cell.difference) else f" ({as_text(cell.difference, cell.decimals, '+')})")
            for cell in lines
        ],
    )


def as_text(value: float, decimals: int, sign: str = "") -> str:
    """A figure as tables show it, or nothing; ``sign`` is that of Python's format."""
    return "" if pd.isna(value) else f"{value:{sign}z,.{decimals}f}".replace("-", "−")


def metric_name(metric: str) -> str:
    """A metric as papers write it: ``ndcg@10`` → ``nDCG@10``."""
    name, _, depth = metric.partition("@")
    known = METRICS.get(name) or ANSWER_METRICS.get(name)
    return (known.label if known else _OTHER_METRICS.get(name, name)) + (f"@{depth}" if depth else "")


def training_name(training: str) -> str:
    """A training as tables and figures show it."""
    return "BM25" if training == BM25 else training


def _rounded(value: float) -> float:
    return round(value, 6)
