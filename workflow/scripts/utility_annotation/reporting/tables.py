"""One shape for every table: a tidy frame of cells, read and written as CSV, and laid out for the writers of each form.

A frame has one line for each row and column of a table. Its first columns name the row. The others are, for all tables:

- ``group``, ``group_title``: number and heading of the group to which the row belongs.
- ``column``, ``metric``: what the column is of, such as a test set, and the metric that it shows.
- ``queries``, ``training_copies``: number of queries behind the figure; number of the column's queries that a training
  has too.
- ``value``, ``decimals``: the figure, and with how many decimals it is shown; metrics are in percent. Of a training
  with several seeds it is their mean.
- ``seeds``, ``sd``: number of seeds, and the standard deviation over several ones.
- ``low``, ``high``: ends of the figure's 95 % interval over queries and seeds.
- ``standing``: ``best`` or ``second`` of its column, as far as the decimals show.
- ``marks``: any of ``+``, ``−``, ``†``.
- ``gain``, ``gain_low``, ``gain_high``: the figure less the baseline's, and the ends of its 95 % interval.
- ``detectable``: the smallest such difference that the test shows in 80 % of the cases.
- ``p_baseline``, ``p_second_baseline``: p-values of the tests with the two baselines; the second of a reranked run is
  its first stage.
- ``corrected_baseline``, ``corrected_second_baseline``, ``tests``: the same after the correction, behind the marks, and
  the number of tests in the column.
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

from ..common.errors import InputError
from ..common.files import REGENERATE, atomic_write
from ..common.importing import large_packages
from ..evaluation.answer_metrics import ANSWER_METRICS
from ..evaluation.answer_work import WORK
from ..evaluation.metric_names import METRICS
from ..labels.annotators import SharedJudge
from ..settings import BM25, OF_NO_BACKBONE

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
    "seeds": "Int64",
    "sd": "float64",
    "low": "float64",
    "high": "float64",
    "standing": "str",
    "marks": "str",
    "gain": "float64",
    "gain_low": "float64",
    "gain_high": "float64",
    "detectable": "float64",
    "p_baseline": "float64",
    "p_second_baseline": "float64",
    "corrected_baseline": "float64",
    "corrected_second_baseline": "float64",
    "tests": "Int64",
    "training_copies": "Int64",
    "published": "float64",
    "doubtful": "bool",
    "difference": "float64",
}
_EMPTY = {"str": "", "int64": 0, "bool": False}

_MOST_COLUMNS = 8
"""So many columns stand beside each other on a page."""

_OTHER_METRICS = {
    "precision": "Precision",
    "recall": "Recall",
    "positives_per_query": "Positives per query",
    "ignored_per_query": "Ignored per query",
    "kappa": "Kappa",
    "kappa_against": "Agreement (kappa)",
    "precision_against": "Precision of agreement",
    "recall_against": "Recall of agreement",
    "llm_tokens": "LLM tokens",
    "empty": "Empty",
    "unparsable": "Unparsable",
    "completed": "Completed",
    **{name: each.label for name, each in WORK.items()},
    "cost_usd": "Cost (USD)",
    "device_hours": "GPU hours",
}

LABELS = "labels"
"""The column of the figures of a training's labels."""

Column = tuple[str, str]
"""What a column is of, and its metric."""


class Row(NamedTuple):
    """A row as text.

    Attributes:
        heads: its names; the backbone stands only where its block begins.
        cells: by column, each a line of :func:`with_texts`; none in the heading of a group.
        apart: whether it begins a group after another one.
    """

    heads: list[str]
    cells: Mapping[Column, Any]
    apart: bool


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
    def columns(self) -> list[tuple[str, list[Column]]]:
        """The columns from left to right; those of one name stand together, under that name."""
        found = self.cells[["column", "metric"]].drop_duplicates().itertuples(index=False, name=None)
        return [(name, list(group)) for name, group in groupby(found, key=lambda column: column[0])]

    def rows(self) -> list[Row]:
        """The rows from top to bottom; a row with the heading goes before a group that has one."""
        rows: list[Row] = []
        before: tuple[str, int] | None = None
        for names, lines in with_texts(self.cells).groupby(list(self.heads.values()), sort=False):
            cells = {(cell.column, cell.metric): cell for cell in lines.itertuples()}
            heads = list(map(training_name, names))
            group, title = int(lines["group"].iloc[0]), lines["group_title"].iloc[0]
            apart = False
            if "backbone" in self.heads:
                backbone = "" if names[0] in OF_NO_BACKBONE else heads[0]
                heads[0] = "" if before and before[0] == backbone else backbone
                apart = before not in (None, (backbone, group))
                if title and before != (backbone, group):
                    rows.append(Row([heads[0], title], {}, apart))
                    heads[0], apart = "", False
                before = backbone, group
            rows.append(Row(heads, cells, apart))
        return rows

    def intervals(self) -> list[tuple[list[str], Any]]:
        """The names of the row, and the line of :func:`with_texts`, of every cell with an interval."""
        lines = with_texts(self.cells.dropna(subset=["low"])).itertuples()
        return [([training_name(getattr(line, head)) for head in self.heads.values()], line) for line in lines]

    def bands(self) -> list[list[Column]]:
        """The columns that fit beside each other on a page; those of one name stay together."""
        bands: list[list[Column]] = [[]]
        for _, columns in self.columns:
            if bands[-1] and len(bands[-1]) + len(columns) > _MOST_COLUMNS:
                bands.append([])
            bands[-1] += columns
        return bands


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
    exact = ["value", "sd", "low", "high", "gain", "gain_low", "gain_high", "detectable"]
    cells[exact] = cells[exact].round(6)
    cells["difference"] = (cells["value"] - cells["published"]).round(6)
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


def judge_notes(shared: Iterable[SharedJudge]) -> list[str]:
    """Where a test set's judge also made the labels of a training that is shown."""
    return [
        f"{each.testset} is judged by {each.annotator}, an LLM that also made labels of {', '.join(each.trainings)}. "
        "These figures favour what that LLM favours."
        for each in shared
    ]


def label_frame(
    labels: Mapping[str, str], qualities: Iterable[Mapping[str, Any]], metrics: Sequence[str]
) -> pd.DataFrame:
    """Figures of the labels that trainings read: the columns ``training``, ``column``, ``metric`` and ``value``."""
    by_name = {quality["labels"]: quality["selection"] or {} for quality in qualities}
    cells = [
        (training, LABELS, metric, by_name[name].get(metric)) for training, name in labels.items() for metric in metrics
    ]
    columns = ["training", "column", "metric", "value"]
    return pd.DataFrame(cells, columns=columns).astype({"value": "float64"})


def to_csv(cells: pd.DataFrame, path: Path | str) -> None:
    """Write a tidy frame, one line per cell, as it is: its words are names and titles of the configuration."""
    with atomic_write(path) as temporary:
        cells.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: Path | str) -> pd.DataFrame:
    """Read the tidy frame that :func:`to_csv` wrote.

    Raises:
        InputError: the file is cut short.
    """
    if not Path(path).read_bytes().endswith(b"\n"):
        raise InputError("this table is cut short.", hint=REGENERATE, path=path)
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
        shown=[with_spread(cell.value, cell.sd, cell.decimals) for cell in lines],
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


def with_spread(value: float, sd: float, decimals: int) -> str:
    """A mean with its standard deviation, where there is one."""
    return as_text(value, decimals) + ("" if pd.isna(sd) else f" ± {as_text(sd, decimals)}")


def metric_name(metric: str) -> str:
    """A metric as papers write it: ``ndcg@10`` → ``nDCG@10``."""
    name, _, depth = metric.partition("@")
    known = METRICS.get(name) or ANSWER_METRICS.get(name)
    return (known.label if known else _OTHER_METRICS.get(name, name)) + (f"@{depth}" if depth else "")


def training_name(training: str) -> str:
    """A training as tables and figures show it."""
    return "BM25" if training == BM25 else training
