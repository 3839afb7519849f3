"""The figures of a metric by a number that trainings differ in: a line a series (figures 3a and 3b of the paper)."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..common.errors import InputError
from ..common.files import atomic_write, read_json
from ..settings import LineChart
from .drawing import COLOURS, GRID, INK, panels
from .tables import metric_name

logger = logging.getLogger(__name__)

_MARKERS = ("o", "s", "^", "D", "v", "P")
_LEVEL_LINES: Sequence[Any] = ("--", ":", "-.", (0, (1, 3)))


@dataclass(frozen=True)
class Point:
    """A training in a chart.

    Attributes:
        series: the line's name; empty for a level.
        x: the number; None for a level.
        training: the training.
        percent: the metric times 100; None where it was not computed.
    """

    series: str
    x: float | None
    training: str
    percent: float | None


def chart_points(settings: LineChart, metrics: Sequence[Path | str]) -> list[Point]:
    """The points, line by line from left to right, then the levels; the log tells of what was not computed.

    Args:
        settings: the chart.
        metrics: metrics files of its trainings.

    Raises:
        InputError: a file is not of the chart's backbone and test set.
    """
    percents = _percents(settings, metrics)
    points = [
        Point(series.name, x, training, percents.get(training))
        for series in settings.series
        for x, training in sorted(series.points.items())
    ]
    points += [Point("", None, training, percents.get(training)) for training in settings.levels]
    for point in points:
        if point.percent is None:
            logger.warning("%s of training %s was not computed, so it is left out.", settings.metric, point.training)
    return points


def _percents(settings: LineChart, metrics: Sequence[Path | str]) -> dict[str, float]:
    percents = {}
    for path in metrics:
        found: Any = read_json(path)
        if (found["backbone"], found["testset"]) != (settings.backbone, settings.testset):
            raise InputError(
                f"this is backbone {found['backbone']} on test set {found['testset']}, which the chart does not show.",
                hint=f"give metrics of backbone {settings.backbone} on test set {settings.testset}.",
                path=path,
            )
        if settings.metric in found["metrics"]:
            percents[found["training"]] = 100 * found["metrics"][settings.metric]
    return percents


def write_points(path: Path | str, points: Sequence[Point]) -> None:
    """One line a point; ``x`` is empty for a level, ``percent`` for what was not computed."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["series", "x", "training", "percent"])
        for point in points:
            percent = "" if point.percent is None else round(point.percent, 6)
            writer.writerow([point.series, "" if point.x is None else f"{point.x:g}", point.training, percent])


def plot_lines(settings: LineChart, points: Sequence[Point], svg: Path, png: Path) -> None:
    """Draw the points that were computed, and name the trainings that were not.

    Args:
        settings: the chart.
        points: of ``chart_points``.
        svg: where the figure goes.
        png: the same, as pixels.
    """
    computed = [point for point in points if point.percent is not None]
    empty = f"{settings.title}: nothing was evaluated."
    with panels(1 if computed else 0, svg, png, height=3.4, empty=empty) as axes:
        for axis in axes:
            _draw(axis, settings, computed)
            missing = [point.training for point in points if point.percent is None]
            note = f"\nnot computed: {', '.join(missing)}" if missing else ""
            axis.set_xlabel(settings.x_label + note)


def _draw(axis: Axes, settings: LineChart, computed: Sequence[Point]) -> None:
    for place, series in enumerate(settings.series):
        line = [(point.x, point.percent) for point in computed if point.series == series.name]
        axis.plot(
            *np.array(line, float).reshape(-1, 2).T,
            color=COLOURS[place % len(COLOURS)],
            marker=_MARKERS[place % len(_MARKERS)],
            markersize=5,
            linewidth=1.5,
            label=series.name,
        )
    for place, level in enumerate(point for point in computed if point.x is None):
        assert level.percent is not None
        style = _LEVEL_LINES[place % len(_LEVEL_LINES)]
        label = f"{level.training} ({level.percent:.1f})"
        axis.axhline(level.percent, color=INK, linestyle=style, linewidth=1.2, label=label)
    axis.set_title(settings.title)
    axis.set_ylabel(f"{settings.testset}: {metric_name(settings.metric)} (percent)")
    axis.xaxis.set_major_locator(FixedLocator(sorted({point.x for point in computed if point.x is not None})))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.margins(y=0.12)
    axis.grid(color=GRID)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
