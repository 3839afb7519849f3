"""The figures: positives a query, position bias, retrieval figures, training loss, as small multiples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..common.errors import InputError
from ..labels.positions import NORMAL_95
from ..settings import BM25, UNTRAINED, LabelChart, ResultsTable
from .drawing import COLOURS, GRID, INK, cycle, legend, panels, title
from .tables import Results, Trained, metric_name, table_columns, training_name
from .trainings import TrainingRecord

_TINT = 0.5  # of bars that lines cross
_FEWEST_LISTS = 0.01  # share of the lists that reach to a position, for it to be drawn
_NO_SELECTION = "No label set of these trainings was selected by an LLM."


def plot_positives(qualities: Sequence[Mapping[str, Any]], svg: Path, png: Path) -> None:
    """How many positives a query has, for each label set in which an LLM selects (paper, figure 2).

    Args:
        qualities: figures of ``label_quality``; human labels and scores (replug) are passed over.
        svg: where the figure goes.
        png: the same, as pixels.
    """
    shown = [quality for quality in qualities if quality["selection"] and quality["source"] != "human"]
    with panels(len(shown), svg, png, height=2.6, empty=_NO_SELECTION) as axes:
        _distributions(axes, shown)


def plot_labels(settings: LabelChart, qualities: Sequence[Mapping[str, Any]], svg: Path, png: Path) -> None:
    """How many positives a query has, for the label sets of a chart, human ones too.

    Args:
        settings: the chart.
        qualities: figures of ``label_quality``, of each of its label sets.
        svg: where the figure goes.
        png: the same, as pixels.

    Raises:
        InputError: a label set's figures are lacking, or are scores (replug) and so select nothing.
    """
    by_name = {quality["labels"]: quality for quality in qualities}
    for name in settings.labels:
        if name not in by_name or not by_name[name]["selection"]:
            what = "has no positives, but scores" if name in by_name else "has no figures here"
            raise InputError(
                f"the chart {settings.title!r} shows label set {name}, which {what}.",
                hint="give the figures of all its label sets; show none of source replug.",
            )
    with panels(len(settings.labels), svg, png, height=2.6, empty="") as axes:
        _distributions(axes, [by_name[name] for name in settings.labels])
        title(axes, settings.title)


def _distributions(axes: Sequence[Axes], shown: Sequence[Mapping[str, Any]]) -> None:
    """A panel a label set, all to the same scale."""
    widest = max((len(quality["selection"]["distribution"]) for quality in shown), default=0)
    for axis, quality, colour in zip(axes, shown, cycle(), strict=False):
        selection = quality["selection"]
        shares = [100 * queries / quality["queries"] for queries in selection["distribution"]]
        axis.bar(range(len(shares)), shares, width=0.9, color=colour)
        axis.axvline(selection["positives_per_query"], color=INK, linewidth=1.2, linestyle="--")
        axis.set_title(f"{quality['labels']} (mean {selection['positives_per_query']:.1f})")
        axis.set_xlim(-0.6, widest - 0.4)
        axis.set_xlabel("positives a query")
        axis.set_ylabel("% of the queries")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(axis="y", color=GRID)
    top = max((axis.get_ylim()[1] for axis in axes), default=1)
    for axis in axes:
        axis.set_ylim(0, top)


def plot_positions(qualities: Sequence[Mapping[str, Any]], svg: Path, png: Path) -> None:
    """Share of the passages shown at each position that the LLM selected, and that are human positives.

    Behind each share stands the range in which 95 % of the shares fall if position has no effect (normal
    approximation). Positions to which fewer than 1 % of the lists reach are left out.

    Args:
        qualities: figures of ``label_quality``; those without positions (human labels, replug) are passed over.
        svg: where the figure goes.
        png: the same, as pixels.
    """
    shown = [quality for quality in qualities if quality["positions"]]
    top = 0.0
    kinds = {"selected": ("selected by the LLM", COLOURS[0]), "human": ("human positive", COLOURS[1])}
    with panels(len(shown), svg, png, height=2.6, empty=_NO_SELECTION) as axes:
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
            axis.set_title(quality["labels"])
            axis.set_xlim(0.4, len(positions) + 0.6)
            axis.set_xlabel("position in the list shown")
            axis.set_ylabel("% of the passages there")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.grid(axis="y", color=GRID)
        for axis in axes:
            axis.set_ylim(0, 1.05 * top)
        if axes:
            handles: list[Any] = [
                Line2D([], [], color=colour, marker="o", markersize=4, linestyle="none", label=label)
                for label, colour in kinds.values()
            ]
            legend(axes, [*handles, Patch(color=INK, alpha=0.25, label="95 % range if position has no effect")])


def plot_results(settings: ResultsTable, results: Results, svg: Path, png: Path) -> None:
    """A table's trainings as bars, a panel a column; BM25 and the untrained backbones as lines beside other rows.

    Args:
        settings: the table.
        results: as ``tables.read_results`` gives them.
        svg: where the figure goes.
        png: the same, as pixels.
    """
    columns = table_columns(settings, results)
    backbones = settings.backbones or (BM25,)
    all_rows = [(row.name, row.training) for row in settings.shown()] or [(training_name(BM25), BM25)]
    rows = [row for row in all_rows if row[1] != UNTRAINED] or all_rows
    height = 1.0 + 0.24 * len(rows) * len(backbones)
    with panels(len(columns), svg, png, height=height, empty="Nothing was evaluated.") as axes:
        for axis, (column, metric) in zip(axes, columns, strict=True):
            figures = {
                trained: 100 * result.metrics[metric]
                for (trained, of), result in results.items()
                if of == column and metric in result.metrics
            }
            _bars(axis, backbones, rows, figures)
            axis.set_title(f"{column}: {metric_name(metric)}")
            axis.set_xlabel("percent")
        if axes:
            handles: list[Any] = [
                Patch(color=colour, alpha=_TINT, label=training_name(backbone))
                for colour, backbone in zip(cycle(), backbones, strict=False)
            ]
            if rows != all_rows:
                handles += [
                    Line2D([], [], color=colour, linestyle=":", linewidth=2, label=f"{backbone} untrained")
                    for colour, backbone in zip(cycle(), backbones, strict=False)
                ]
            if settings.with_bm25 and settings.testsets and settings.backbones:
                handles.append(Line2D([], [], color=INK, linestyle="--", label="BM25"))
            legend(axes, handles)


def _bars(
    axis: Axes, backbones: Sequence[str], rows: Sequence[tuple[str, str]], figures: Mapping[Trained, float]
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


def plot_training(trainings: Sequence[TrainingRecord], svg: Path, png: Path) -> None:
    """Loss by optimiser step, a panel a training; each panel has its own scale, since the losses differ in kind.

    Args:
        trainings: the records.
        svg: where the figure goes.
        png: the same, as pixels.
    """
    names = list(dict.fromkeys(record.training for record in trainings))
    colours = dict(zip(dict.fromkeys(record.backbone for record in trainings), cycle(), strict=False))
    with panels(len(names), svg, png, height=2.4, empty="Nothing was trained.") as axes:
        for axis, training in zip(axes, names, strict=True):
            of_training = [record for record in trainings if record.training == training]
            for record in of_training:
                few = len(record.steps) <= 30
                axis.plot(
                    record.steps,
                    record.losses,
                    color=colours[record.backbone],
                    linewidth=1.3,
                    marker="o" if few else None,
                    markersize=3,
                )
            axis.set_title(f"{training} ({of_training[0].loss_name})")
            axis.set_xlabel("step")
            axis.set_ylabel("loss")
            axis.set_ylim(bottom=0)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.grid(color=GRID)
        if axes:
            handles = [Line2D([], [], color=colour, label=backbone) for backbone, colour in colours.items()]
            legend(axes, handles)
