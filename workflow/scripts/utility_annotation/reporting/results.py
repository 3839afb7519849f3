"""The tables of results: retrievers against test sets and question answering, with significance marks.

Significance (paper, tables 2 to 5): two-sided paired t-test over the queries, within the same backbone; ``+`` and
``−`` against the baseline (Human), ``†`` for better than the second baseline (REPLUG of the same group). A figure that
is no mean over questions, such as BLEU, has a paired bootstrap instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..common.importing import large_packages
from ..evaluation.answer_metrics import ANSWER_METRICS, Pooled
from ..evaluation.significance import RESAMPLES, paired_bootstrap, paired_t_test, per_query_values
from ..labels.annotators import SharedJudge
from ..settings import EXTERNAL, UNTRAINED, ResultsTable
from .metrics import KEY, PLACE, read_metrics
from .settings import ResultsTableSettings
from .tables import LABELS, Column, Table, judge_notes, label_frame, metric_name, published_notes, tidy

with large_packages():
    import pandas as pd


def table_rows(settings: ResultsTable) -> pd.DataFrame:
    """The rows of a table from top to bottom: those of no backbone, then each backbone's groups.

    Within its group the untrained backbone stands first.
    """
    rows: list[tuple[object, ...]] = [(*row, 0, "", None) for row in settings.beside()]
    for backbone in settings.backbones:
        for number, group in enumerate(settings.groups, 1):
            for name, training, second in sorted(group.shown(), key=lambda row: row.training != UNTRAINED):
                rows.append((backbone, name, training, number, group.title, second))
    return pd.DataFrame(rows, columns=["backbone", "row", "training", "group", "group_title", "second_baseline"])


def result_cells(
    settings: ResultsTableSettings,
    metrics: Sequence[Path | str],
    paper: pd.DataFrame,
    qualities: Sequence[Mapping[str, Any]] = (),
) -> pd.DataFrame:
    """The tidy frame of a table; a cell that was not computed is empty.

    Args:
        settings: the table and its trainings' labels.
        metrics: metrics files of the table, each with its per-query values beside it.
        paper: the published figures of :func:`.metrics.read_published`.
        qualities: figures of the labels, where the table has ``label_metrics``.

    Raises:
        InputError: trainings that are compared have different queries.
    """
    table, results, rows = settings.table, read_metrics(metrics), table_rows(settings.table)
    columns = pd.DataFrame(_columns(table, results, paper), columns=["column", "metric"], dtype="str")
    cells = rows.merge(columns, how="cross").merge(results, how="left", on=KEY)
    of_backbone = cells["backbone"]
    if table.baseline in table.external_runs:
        compared = pd.Series(EXTERNAL, cells.index)
    else:  # a run of others has no backbone of ours, unless there is one alone
        compared = of_backbone.where((of_backbone != EXTERNAL) | (len(table.backbones) != 1), *table.backbones[:1])
    gain, p_baseline = _compared(cells, compared, pd.Series(table.baseline, cells.index, dtype="str"))
    second_gain, p_second = _compared(cells, of_backbone, cells["second_baseline"].astype("str"))
    level = table.significance_level
    marks = pd.Series("", cells.index, dtype="str").mask((p_baseline < level) & (gain > 0), "+")
    marks = marks.mask((p_baseline < level) & (gain < 0), "−")
    marks += np.where((p_second < level) & (second_gain > 0), "†", "")
    cells = cells.assign(marks=marks, p_baseline=p_baseline, p_second_baseline=p_second)
    if table.label_metrics:
        of_labels = rows.merge(pd.DataFrame({"metric": table.label_metrics}), how="cross")
        of_labels = of_labels.assign(column=LABELS, marks="")
        found = label_frame(settings.labels, qualities, table.label_metrics)
        cells = pd.concat([cells, of_labels.merge(found, how="left")], ignore_index=True)
    cells = tidy(cells.merge(paper, how="left", on=PLACE), ["backbone", "row", "training"])
    shown = cells["value"].map(lambda value: round(value, 1)).where(cells["column"] != LABELS)
    blocks = shown.groupby([cells[name] for name in ("backbone", "column", "metric")])
    standing = blocks.rank(method="dense", ascending=False).where(blocks.transform("nunique") > 1)
    return cells.assign(standing=standing.map({1: "best", 2: "second"}).fillna("").astype("str"))


def _compared(cells: pd.DataFrame, backbones: pd.Series, baselines: pd.Series) -> tuple[pd.Series, pd.Series]:
    """By how much each cell is better than its baseline on that backbone, and the p-value of that.

    Both are empty where one of the two was not computed, where there is no baseline, and for a baseline itself.
    """
    figures = cells.drop_duplicates(KEY).set_index(KEY)[["value", "per_query"]]
    theirs = cells[KEY].assign(backbone=backbones, training=baselines).join(figures, on=KEY)
    itself = (cells["training"] == baselines) & (cells["backbone"] == backbones)
    gain = (cells["value"] - theirs["value"]).where(~itself)
    p_values = pd.Series(np.nan, cells.index)
    values = cache(per_query_values)
    for place in gain.dropna().index:
        ours, metric = cells.loc[place], cells.loc[place, "metric"]
        files = ours["per_query"], theirs.loc[place, "per_query"]
        if pooled := _pooled(metric):
            first, second = ([values(file, count) for count in pooled.counts] for file in files)
            p_values[place] = paired_bootstrap(first, second, pooled.figure)
        else:
            one, other = (values(file, metric) for file in files)
            p_values[place] = paired_t_test(one, other, ours["weights"])
    return gain, p_values


def _pooled(metric: str) -> Pooled | None:
    """How a metric follows from sums over questions, if it is no mean over them."""
    return ANSWER_METRICS[metric].pooled if metric in ANSWER_METRICS else None


def results_table(settings: ResultsTable, cells: pd.DataFrame, shared_judges: Iterable[SharedJudge] = ()) -> Table:
    """A table of these cells, with its notes."""
    notes = [
        "Percent. Within a backbone's block, bold is best and underlined second best. An empty cell was not computed."
    ]
    computed = cells.dropna(subset=["queries"]).drop_duplicates("column", keep="last")
    if len(computed):
        counts = (f"{cell.column} {cell.queries}" for cell in computed.itertuples())
        notes.append("Queries: " + ", ".join(counts) + ".")
    if settings.label_metrics:
        notes.append(
            "Labels: those that a training reads. Precision and recall: of the human positives among their positives."
        )
    notes += judge_notes(shared_judges)
    notes += published_notes(settings.published, cells)
    seconds = list(dict.fromkeys(group.second_baseline for group in settings.groups if group.second_baseline))
    if settings.baseline:
        whose = "" if settings.baseline in settings.external_runs else " of the same backbone"
        notes.append(f"Marks + and −: significantly better or worse than {settings.baseline}{whose}.")
    if seconds:
        notes.append(f"Mark †: significantly better than {' or '.join(seconds)} of the same group and backbone.")
    if settings.baseline or seconds:
        notes.append(
            f"Significance: two-sided paired t-test over the queries, p < {settings.significance_level:g}. On an "
            "average, the test is stratified by test set."
        )
        if pooled := [metric for metric in dict.fromkeys(cells["metric"]) if _pooled(metric)]:
            names = ", ".join(map(metric_name, pooled))
            notes.append(f"{names}: paired bootstrap of the figure over all questions, {RESAMPLES:,} resamples.")
    return Table(settings.title, {"backbone": "backbone", "training": "row"}, cells, notes)


def _columns(settings: ResultsTable, results: pd.DataFrame, paper: pd.DataFrame) -> list[Column]:
    """Name and metric of each column: test sets and averages, then each task with each generator.

    Metrics stand as the table lists them, else by name and depth.
    """
    known = {(*place,) for found in (results, paper) for place in found[["column", "metric"]].itertuples(index=False)}
    answers = [f"{task}/{generator}" for task in settings.qa for generator in settings.generators]
    columns = []
    for name in (*settings.testsets, *answers):
        metrics = sorted(
            (metric.partition("@") for column, metric in known if column == name),
            key=lambda parts: (parts[0], int(parts[2] or 0)),
        )
        names = ["".join(parts) for parts in metrics]
        columns += [(name, metric) for metric in settings.metrics or names if metric in names]
    return columns
