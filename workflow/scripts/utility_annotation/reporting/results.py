"""The tables of results: retrievers against test sets and question answering, with significance marks.

Significance (paper, tables 2 to 5): two-sided paired t-test over the queries, within the same backbone; ``+`` and
``−`` against the baseline (Human), ``†`` for better than the second baseline (REPLUG of the same group).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..common.importing import large_packages
from ..evaluation.significance import paired_t_test, per_query_values
from ..settings import BM25, UNTRAINED, ResultsTable
from .metrics import KEY, read_metrics
from .published import Place, no_figures
from .tables import Column, Table, published_notes, tidy, with_texts

with large_packages():
    import pandas as pd

_HEADS = {"backbone": "backbone", "training": "row"}
_NAMES = ("backbone", "row", "training")


class TableRow(NamedTuple):
    """A row: backbone, its name in the table, the training that it shows, number and title of its group, and the
    group's second baseline."""

    backbone: str
    row: str
    training: str
    group: int = 0
    group_title: str = ""
    second_baseline: str | None = None


def table_rows(settings: ResultsTable) -> list[TableRow]:
    """The rows of a table from top to bottom: BM25 if there are test sets, then each backbone's groups.

    Within its group the untrained backbone stands first.
    """
    rows = [TableRow(BM25, BM25, BM25)] if settings.with_bm25 and settings.testsets else []
    for backbone in settings.backbones:
        for number, group in enumerate(settings.groups, 1):
            shown = sorted(group.shown(), key=lambda row: row.training != UNTRAINED)
            rows += [
                TableRow(backbone, row.name, row.training, number, group.title, row.second_baseline) for row in shown
            ]
    return rows


def read_results(
    settings: ResultsTable, metrics: Sequence[Path | str], per_query: Sequence[Path | str] | None = None
) -> pd.DataFrame:
    """The figures of a table, see :func:`.metrics.read_metrics`."""
    rows, names = table_rows(settings), _column_names(settings)
    return read_metrics(metrics, {(row.backbone, row.training, name) for row in rows for name in names}, per_query)


def result_cells(settings: ResultsTable, results: pd.DataFrame, paper: pd.DataFrame | None = None) -> pd.DataFrame:
    """The tidy frame of a table, without tests; a cell that was not computed is empty.

    Args:
        settings: the table.
        results: of :func:`read_results`.
        paper: the published figures of :func:`.published.read_published`.
    """
    paper = no_figures() if paper is None else paper
    columns = pd.DataFrame(_columns(settings, results, paper), columns=["column", "metric"], dtype="str")
    cells = pd.DataFrame(table_rows(settings)).merge(columns, how="cross").merge(results, how="left", on=KEY)
    cells = tidy(cells.join(paper, on=list(Place._fields)), _NAMES)
    shown = pd.to_numeric(with_texts(cells)["shown"].str.replace("−", "-"))
    blocks = shown.groupby([cells[name] for name in ("backbone", "column", "metric")])
    standing = blocks.rank(method="dense", ascending=False).where(blocks.transform("nunique") > 1)
    return cells.assign(standing=standing.map({1: "best", 2: "second"}).fillna("").astype("str"))


def compared_cells(settings: ResultsTable, results: pd.DataFrame, paper: pd.DataFrame | None = None) -> pd.DataFrame:
    """The same with p-values and marks.

    Raises:
        InputError: two trainings that are compared do not have the same queries.
    """
    cells = result_cells(settings, results, paper)
    seconds = {(row.backbone, row.row): row.second_baseline for row in table_rows(settings)}
    second = [seconds[place] for place in zip(cells["backbone"], cells["row"], strict=True)]
    gain, p_baseline = _tests(cells, results, [settings.baseline] * len(cells))
    second_gain, p_second = _tests(cells, results, second)
    level = settings.significance_level
    marks = np.where(p_baseline < level, np.where(gain > 0, "+", "−"), "")
    daggers = np.where((p_second < level) & (second_gain > 0), "†", "")
    marks = pd.Series(marks, cells.index, dtype="str") + daggers
    return cells.assign(marks=marks, p_baseline=p_baseline, p_second_baseline=p_second)


def _tests(
    cells: pd.DataFrame, results: pd.DataFrame, baselines: Sequence[str | None]
) -> tuple[np.ndarray, np.ndarray]:
    """By how much each cell is better than its baseline on the same backbone, and the p-value of that.

    NaN where one of them was not computed, where there is no baseline, and for a baseline itself.
    """
    ours = cells[KEY].merge(results, how="left", on=KEY)
    theirs = cells[KEY].assign(training=pd.Series(baselines, cells.index, dtype="str"))
    compared = (theirs["training"] != cells["training"]) & (cells["backbone"] != BM25)
    theirs = theirs.merge(results, how="left", on=KEY)
    gain = (ours["value"] - theirs["value"]).where(compared).to_numpy(float)
    p_values = np.full(len(cells), np.nan)
    values = cache(per_query_values)
    for place in np.flatnonzero(~np.isnan(gain)):
        metric = cells["metric"].iloc[place]
        files = ours["per_query"].iloc[place], theirs["per_query"].iloc[place]
        first, second = (values(file, metric) for file in files)
        p_values[place] = paired_t_test(first, second, ours["weights"].iloc[place])
    return gain, p_values


def results_table(settings: ResultsTable, cells: pd.DataFrame) -> Table:
    """A table of these cells, with its notes."""
    notes = [
        "Percent. Within a backbone's block, bold is best and underlined second best. An empty cell was not computed."
    ]
    computed = cells.dropna(subset=["queries"]).drop_duplicates("column", keep="last")
    if len(computed):
        counts = (f"{cell.column} {cell.queries}" for cell in computed.itertuples())
        notes.append("Queries: " + ", ".join(counts) + ".")
    notes += published_notes(settings.published, cells)
    seconds = list(dict.fromkeys(row.second_baseline for row in table_rows(settings) if row.second_baseline))
    if settings.baseline:
        notes.append(f"Marks + and −: significantly better or worse than {settings.baseline} of the same backbone.")
    if seconds:
        notes.append(f"Mark †: significantly better than {' or '.join(seconds)} of the same group and backbone.")
    if settings.baseline or seconds:
        notes.append(
            f"Significance: two-sided paired t-test over the queries, p < {settings.significance_level:g}. On an "
            "average, the test is stratified by test set."
        )
    return Table(settings.title, _HEADS, cells, notes)


def _column_names(settings: ResultsTable) -> list[str]:
    """Test sets and averages, then each task with each generator."""
    return [*settings.testsets, *(f"{task}/{generator}" for task in settings.qa for generator in settings.generators)]


def _columns(settings: ResultsTable, results: pd.DataFrame, paper: pd.DataFrame) -> list[Column]:
    """Name and metric of each column; metrics as the table lists them, else by name and depth."""
    known = {*zip(results["column"], results["metric"], strict=True)} | {place[2:] for place in paper.index}
    columns = []
    for name in _column_names(settings):
        metrics = sorted((metric for column, metric in known if column == name), key=_by_name_and_depth)
        shown = [metric for metric in settings.metrics if metric in metrics] if settings.metrics else metrics
        columns += [(name, metric) for metric in shown]
    return columns


def _by_name_and_depth(metric: str) -> tuple[str, int]:
    name, _, depth = metric.partition("@")
    return name, int(depth or 0)
