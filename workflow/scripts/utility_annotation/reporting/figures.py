"""The figures as small multiples: results as bars and lines, positives per query, position bias, training loss."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..common.errors import InputError
from ..common.importing import large_packages
from ..labels.positions import NORMAL_95
from ..labels.sources import SOURCES
from ..settings import BM25, UNTRAINED, LabelChart, LineChart, ResultsTable
from .drawing import COLOURS, GRID, INK, cycle, describe, legend, panels, title
from .metrics import read_metrics
from .tables import metric_name, tidy, training_name
from .trainings import TrainingRecord

with large_packages():
    import pandas as pd

logger = logging.getLogger(__name__)

_TINT = 0.5  # of bars that lines cross
_FEWEST_LISTS = 0.01  # share of the lists that reach to a position, for it to be drawn
_NO_SELECTION = "No label set of these trainings was selected by an LLM."
_MARKERS = ("o", "s", "^", "D", "v", "P")
_LEVEL_LINES: Sequence[Any] = ("--", ":", "-.", (0, (1, 3)))


def plot_results(settings: ResultsTable, cells: pd.DataFrame, svg: Path) -> None:
    """A table's trainings as bars, a panel per column; BM25 and the untrained backbones as lines beside other rows.

    Args:
        settings: the table.
        cells: of :func:`.results.result_cells`.
        svg: where the figure goes; a PNG goes beside it.
    """
    columns = list(cells.dropna(subset="value").groupby(["column", "metric"], sort=False))
    backbones = settings.backbones or (BM25,)
    all_rows = [(row.name, row.training) for row in settings.shown()] or [(training_name(BM25), BM25)]
    rows = [row for row in all_rows if row[1] != UNTRAINED] or all_rows
    height = 1.0 + 0.24 * len(rows) * len(backbones)
    with panels(len(columns), svg, height=height, empty="Nothing was evaluated.") as axes:
        for axis, ((column, metric), drawn) in zip(axes, columns, strict=True):
            _bars(axis, backbones, rows, drawn.groupby(["backbone", "training"])["value"].first().to_dict())
            axis.set_title(f"{column}: {metric_name(metric)}")
            axis.set_xlabel("percent")
        colours = list(zip(cycle(), backbones, strict=False))
        handles: list[Any] = [Patch(color=colour, alpha=_TINT, label=training_name(name)) for colour, name in colours]
        if rows != all_rows:
            handles += [
                Line2D([], [], color=colour, linestyle=":", linewidth=2, label=f"{name} untrained")
                for colour, name in colours
            ]
        if settings.with_bm25 and settings.testsets and settings.backbones:
            handles.append(Line2D([], [], color=INK, linestyle="--", label="BM25"))
        legend(axes, handles)


def _bars(
    axis: Axes,
    backbones: Sequence[str],
    rows: Sequence[tuple[str, str]],
    figures: Mapping[tuple[str, str], float],
) -> None:
    thickness = 0.8 / len(backbones)
    beside = axis.get_yaxis_transform()  # x in shares of the panel, y in rows
    shown = {training for _, training in rows}
    for place, (backbone, colour) in enumerate(zip(backbones, cycle(), strict=False)):
        for number, (_, training) in enumerate(rows):
            if (figure := figures.get((backbone, training))) is not None:
                height = number + (place - (len(backbones) - 1) / 2) * thickness
                axis.barh(height, figure, height=0.9 * thickness, color=colour, alpha=_TINT)
                axis.text(1, height, f"{figure:.1f}", transform=beside, ha="right", va="center", fontsize=8)
        if UNTRAINED not in shown and (figure := figures.get((backbone, UNTRAINED))) is not None:
            axis.axvline(figure, color=colour, linestyle=":", linewidth=2)
    if BM25 not in shown and (figure := figures.get((BM25, BM25))) is not None:
        axis.axvline(figure, color=INK, linestyle="--", linewidth=1.2)
    axis.set_xlim(0, 1.2 * max(figures.values(), default=1) or 1)
    axis.set_yticks(range(len(rows)), [name for name, _ in rows])
    axis.set_ylim(len(rows) - 0.45, -0.55)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color=GRID)


def line_cells(settings: LineChart, metrics: Sequence[Path | str]) -> pd.DataFrame:
    """The tidy frame of a chart: line by line from left to right, then the levels, which have no ``series`` and ``x``.

    Args:
        settings: the chart.
        metrics: metrics files of its trainings.

    Raises:
        InputError: a file does not belong to the chart.
    """
    points = [
        (series.name, f"{x:g}", training) for series in settings.series for x, training in sorted(series.points.items())
    ]
    names = ["series", "x", "training"]
    points += [("", "", training) for training in settings.levels]
    frame = pd.DataFrame(points, columns=names).assign(
        backbone=settings.backbone, column=settings.testset, metric=settings.metric
    )
    keys = ["backbone", "training", "column", "metric"]
    found = read_metrics(metrics, {tuple(place) for place in frame[keys[:3]].itertuples(index=False)})
    cells = tidy(frame.merge(found, how="left", on=keys), [*names, "backbone"])
    for training in cells.loc[cells["value"].isna(), "training"]:
        logger.warning("%s of training %s was not computed, so it is left out.", settings.metric, training)
    return cells


def plot_lines(settings: LineChart, cells: pd.DataFrame, svg: Path) -> None:
    """A metric by a number that trainings differ in (figures 3a and 3b of the paper), and what was not computed.

    Args:
        settings: the chart.
        cells: of :func:`line_cells`.
        svg: where the figure goes; a PNG goes beside it.
    """
    computed = cells.dropna(subset="value")
    empty = f"{settings.title}: nothing was evaluated."
    with panels(min(1, len(computed)), svg, height=3.4, empty=empty) as axes:
        for axis in axes:
            _lines(axis, settings, computed)
            missing = cells.loc[cells["value"].isna(), "training"]
            note = f"\nnot computed: {', '.join(missing)}" if len(missing) else ""
            axis.set_xlabel(settings.x_label + note)


def _lines(axis: Axes, settings: LineChart, cells: pd.DataFrame) -> None:
    for place, series in enumerate(settings.series):
        line = cells[cells["series"] == series.name]
        axis.plot(
            line["x"].astype(float),
            line["value"],
            color=COLOURS[place % len(COLOURS)],
            marker=_MARKERS[place % len(_MARKERS)],
            markersize=5,
            linewidth=1.5,
            label=series.name,
        )
    for place, level in enumerate(cells[cells["x"] == ""].itertuples()):
        style = _LEVEL_LINES[place % len(_LEVEL_LINES)]
        label = f"{level.training} ({level.value:.1f})"
        axis.axhline(level.value, color=INK, linestyle=style, linewidth=1.2, label=label)
    axis.set_title(settings.title)
    axis.set_ylabel(f"{settings.testset}: {metric_name(settings.metric)} (percent)")
    axis.xaxis.set_major_locator(FixedLocator(sorted({float(x) for x in cells["x"] if x})))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.margins(y=0.12)
    axis.grid(color=GRID)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def plot_positives(qualities: Sequence[Mapping[str, Any]], svg: Path) -> None:
    """How many positives each query has, for each label set in which an LLM selects (paper, figure 2).

    Args:
        qualities: figures of ``label_quality``; human labels and scores (replug) are passed over.
        svg: where the figure goes; a PNG goes beside it.
    """
    shown = [quality for quality in qualities if quality["selection"] and not _is_human(quality["source"])]
    with panels(len(shown), svg, height=2.6, empty=_NO_SELECTION) as axes:
        _distributions(axes, shown)


def plot_labels(settings: LabelChart, qualities: Sequence[Mapping[str, Any]], svg: Path) -> None:
    """How many positives each query has, for the label sets of a chart, human ones too.

    Args:
        settings: the chart.
        qualities: figures of ``label_quality``, of each of its label sets.
        svg: where the figure goes; a PNG goes beside it.

    Raises:
        InputError: a label set's figures are missing, or are scores (replug) and so select nothing.
    """
    by_name = {quality["labels"]: quality for quality in qualities}
    for name in settings.labels:
        if name not in by_name or not by_name[name]["selection"]:
            what = "has scores, but no positives" if name in by_name else "has no figures here"
            raise InputError(
                f"the chart {settings.title!r} shows label set {name}, which {what}.",
                hint="give the figures of all its label sets; leave out those of source replug.",
            )
    with panels(len(settings.labels), svg, height=2.6, empty="") as axes:
        _distributions(axes, [by_name[name] for name in settings.labels])
        title(axes, settings.title)


def _is_human(source: str) -> bool:
    return source in SOURCES and SOURCES[source].human


def _distributions(axes: Sequence[Axes], shown: Sequence[Mapping[str, Any]]) -> None:
    """A panel per label set, all to the same scale."""
    widest = max((len(quality["selection"]["distribution"]) for quality in shown), default=0)
    for axis, quality, colour in zip(axes, shown, cycle(), strict=False):
        selection = quality["selection"]
        shares = [100 * queries / quality["queries"] for queries in selection["distribution"]]
        axis.bar(range(len(shares)), shares, width=0.9, color=colour)
        axis.axvline(selection["positives_per_query"], color=INK, linewidth=1.2, linestyle="--")
        heading = f"{quality['labels']} (mean {selection['positives_per_query']:.1f})"
        describe(axis, heading, "positives per query", "% of the queries", grid="y")
        axis.set_xlim(-0.6, widest - 0.4)
    top = max((axis.get_ylim()[1] for axis in axes), default=1)
    for axis in axes:
        axis.set_ylim(0, top)


def plot_positions(qualities: Sequence[Mapping[str, Any]], svg: Path) -> None:
    """Share of the passages shown at each position that the LLM selected, and that are human positives.

    Behind each share stands the range in which 95 % of the shares fall if position has no effect (normal
    approximation). Positions to which fewer than 1 % of the lists reach are left out.

    Args:
        qualities: figures of ``label_quality``; those without positions (human labels, replug) are passed over.
        svg: where the figure goes; a PNG goes beside it.
    """
    shown = [quality for quality in qualities if quality["positions"]]
    top = 0.0
    kinds = {"selected": ("selected by the LLM", COLOURS[0]), "human": ("human positive", COLOURS[1])}
    with panels(len(shown), svg, height=2.6, empty=_NO_SELECTION) as axes:
        for axis, quality in zip(axes, shown, strict=True):
            by_position = quality["positions"]["by_position"]
            lists = np.array(by_position["shown"])
            to_percent = 100 / lists[lists >= _FEWEST_LISTS * lists[0]]
            positions = np.arange(1, len(to_percent) + 1)
            for (kind, (_, colour)), shift in zip(kinds.items(), (-0.2, 0.2), strict=True):
                observed, expected, deviation = (
                    np.array(by_position[kind][name])[: len(to_percent)] * to_percent
                    for name in ("observed", "expected", "standard_deviation")
                )
                low, high = np.clip([expected - NORMAL_95 * deviation, expected + NORMAL_95 * deviation], 0, 100)
                top = max(top, *high, *observed)
                axis.bar(positions + shift, high - low, bottom=low, width=0.38, color=colour, alpha=0.25)
                axis.plot(positions + shift, observed, color=colour, marker="o", markersize=4, linestyle="none")
            describe(axis, quality["labels"], "position in the list shown", "% of the passages there", grid="y")
            axis.set_xlim(0.4, len(positions) + 0.6)
        for axis in axes:
            axis.set_ylim(0, 1.05 * top)
        handles: list[Any] = [
            Line2D([], [], color=colour, marker="o", markersize=4, linestyle="none", label=label)
            for label, colour in kinds.values()
        ]
        legend(axes, [*handles, Patch(color=INK, alpha=0.25, label="95 % range if position has no effect")])


def plot_training(trainings: Sequence[TrainingRecord], svg: Path) -> None:
    """Loss by optimiser step, a panel per training; each panel has its own scale, since the losses differ in kind.

    Args:
        trainings: the records.
        svg: where the figure goes; a PNG goes beside it.
    """
    names = list(dict.fromkeys(record.training for record in trainings))
    colours = dict(zip(dict.fromkeys(record.backbone for record in trainings), cycle(), strict=False))
    with panels(len(names), svg, height=2.4, empty="Nothing was trained.") as axes:
        for axis, training in zip(axes, names, strict=True):
            of_training = [record for record in trainings if record.training == training]
            for record in of_training:
                marker = "o" if len(record.steps) <= 30 else None
                colour = colours[record.backbone]
                axis.plot(record.steps, record.losses, color=colour, linewidth=1.3, marker=marker, markersize=3)
            describe(axis, f"{training} ({of_training[0].loss_name})", "step", "loss")
            axis.set_ylim(bottom=0)
        legend(axes, [Line2D([], [], color=colour, label=backbone) for backbone, colour in colours.items()])
