"""The figures as small multiples: results as bars and lines, positives per query, position bias, training loss.

Each is written as SVG, with a PNG beside it. Colours are Okabe and Ito's, which people with any common colour blindness
tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.importing import large_packages
from ..evaluation.answer_work import WORK
from ..labels.positions import NORMAL_95
from ..labels.sources import SOURCES
from ..settings import UNTRAINED, ResultsTable
from .intervals import with_intervals
from .metrics import read_metrics
from .settings import LineChartSettings
from .tables import LABELS, label_frame, metric_name, tidy, training_name, with_spread
from .verdict import NAMES

with large_packages():
    import pandas as pd

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INK = "#222222"
_TINT = 0.5  # of bars that lines cross
_PANEL_WIDTH = 3.4
_FEWEST_LISTS = 0.01  # share of the lists that reach to a position, for it to be drawn
_NO_SELECTION = "No label set of these trainings was selected by an LLM."
_LEVEL_LINES: Sequence[Any] = ("--", ":", "-.", (0, (1, 3)))
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "font.size": 9,
    "grid.color": "#DDDDDD",
    "legend.frameon": False,
    "svg.hashsalt": "utility-annotation",  # the same figure gives the same file
    "text.color": _INK,
}


@contextmanager
def _panels(
    number: int, svg: Path, *, height: float, empty: str, title: str = "", columns: int = 3
) -> Iterator[list[Axes]]:
    """Axes of ``number`` panels of ``height`` inches, at most ``columns`` in a row; saved as SVG and PNG on leaving.

    What has a label in any panel has it in one legend above all. Without panels the figure says ``empty``.
    """
    with matplotlib.rc_context(_STYLE):
        columns = min(columns, max(1, number))
        rows = max(1, math.ceil(number / columns))
        figure = Figure((max(2, columns) * _PANEL_WIDTH, rows * height + 0.4), layout="constrained", facecolor="white")
        axes = [figure.add_subplot(rows, columns, place + 1) for place in range(number)]
        yield axes
        named = {label: each for axis in axes for each, label in zip(*axis.get_legend_handles_labels(), strict=True)}
        if named:
            ncols = 5 if number > 2 else 3
            figure.legend(list(named.values()), list(named), loc="outside upper left", ncols=ncols)
        if title:
            figure.suptitle(title)
        if not number:
            figure.text(0.5, 0.5, empty, ha="center", va="center")
        with atomic_write(svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        with atomic_write(svg.with_suffix(".png")) as temporary:
            figure.savefig(temporary, format="png", dpi=160)


def plot_results(settings: ResultsTable, cells: pd.DataFrame, svg: Path) -> None:
    """A table's trainings as bars, a panel per column; the untrained backbones and the rows of none as lines beside.

    Without trainings, all rows are bars. The cells are those of :func:`.results.result_cells`.
    """
    measured = (cells["column"] != LABELS) & ~cells["metric"].isin(WORK)
    shown = cells[measured].dropna(subset="value")
    tokens = cells[cells["metric"] == "tokens"].dropna(subset="value")
    by_tokens = [
        (column, metric, drawn, tokens[tokens["column"] == column])
        for (column, metric), drawn in shown.groupby(["column", "metric"], sort=False)
        if column in set(tokens["column"])
    ]
    columns = list(shown.groupby(["column", "metric"], sort=False))
    backbones = settings.backbones or ("",)
    others = {training_name(name): (kind, training) for kind, name, training in settings.beside()}
    all_rows = {row.name: row.training for row in settings.shown()}
    rows = {name: training for name, training in all_rows.items() if training != UNTRAINED} or all_rows
    names = list(rows or others)
    thickness = 0.8 / len(backbones)
    height = 1.0 + 0.24 * len(names) * len(backbones)
    number = len(columns) + len(by_tokens)
    with _panels(number, svg, height=max(height, 2.6) if by_tokens else height, empty="Nothing was evaluated.") as axes:
        for axis, (column, metric, drawn, given) in zip(axes[len(columns) :], by_tokens, strict=True):
            _draw_by_tokens(axis, f"{column}: {metric_name(metric)}", drawn, given)
        for axis, ((column, metric), drawn) in zip(axes, columns, strict=False):
            figures = drawn.groupby(["backbone", "training"])["value"].first().to_dict()
            spread = drawn.groupby(["backbone", "training"])["sd"].first().to_dict()
            beside = axis.get_yaxis_transform()  # x in shares of the panel, y in rows
            for place, (backbone, colour) in enumerate(zip(backbones, cycle(_COLOURS), strict=False)):
                heights = np.arange(len(names)) + (place - (len(backbones) - 1) / 2) * thickness
                keys = [(backbone, training) for training in rows.values()] or list(others.values())
                values, sds = ([found.get(key, math.nan) for key in keys] for found in (figures, spread))
                axis.barh(heights, values, 0.9 * thickness, color=colour, alpha=_TINT, label=backbone)
                axis.errorbar(values, heights, xerr=sds, fmt="none", ecolor=_INK, capsize=2, linewidth=1)
                for at, value, sd in zip(heights, values, sds, strict=True):
                    text = with_spread(value, sd, 1)
                    axis.text(1, at, text, transform=beside, ha="right", va="center", fontsize=8)
                if rows != all_rows and (backbone, UNTRAINED) in figures:
                    value, name = figures[backbone, UNTRAINED], f"{backbone} untrained"
                    axis.axvline(value, color=colour, linestyle=":", linewidth=2, label=name)
            for (name, key), style in zip(others.items(), cycle(_LEVEL_LINES), strict=False):
                if rows and key in figures:
                    axis.axvline(figures[key], color=_INK, linestyle=style, linewidth=1.2, label=name)
            axis.set_title(f"{column}: {metric_name(metric)}")
            axis.set_xlabel("percent")
            room = 1.2 if pd.isna(list(spread.values())).all() else 1.6  # for the figures to the right of the bars
            axis.set_xlim(0, room * max(figures.values()) or 1)
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(len(names) - 0.45, -0.55)
            axis.tick_params(axis="y", length=0)
            axis.grid(axis="x")


def _draw_by_tokens(axis: Axes, heading: str, drawn: pd.DataFrame, tokens: pd.DataFrame) -> None:
    """A metric of answers, with its 95 % interval, by the tokens that the LLM reads; a mark per row."""
    rows = drawn.merge(tokens[["backbone", "row", "value"]], on=["backbone", "row"], suffixes=("", "_tokens"))
    for row, colour, marker in zip(rows.itertuples(), cycle(_COLOURS), cycle("os^DvPX*"), strict=False):
        ends = [[row.value - row.low], [row.high - row.value]]
        name = training_name(row.row)
        axis.errorbar(row.value_tokens, row.value, yerr=ends, color=colour, marker=marker, markersize=6, capsize=3)
        axis.annotate(name, (row.value_tokens, row.value), xytext=(6, 4), textcoords="offset points", fontsize=8)
    axis.set_title(heading)
    axis.set_xlabel("tokens per question")
    axis.set_ylabel("percent, with 95 % interval")
    axis.set_xlim(left=0, right=1.35 * max(rows["value_tokens"], default=1))
    axis.margins(y=0.15)
    axis.grid()


def plot_calibrations(calibrations: Sequence[Mapping[str, Any]], svg: Path) -> None:
    """Reliability of each calibration, and what each threshold keeps, side by side.

    The calibrations are those of :func:`..selection.reliability.calibrate`. All figures are of questions that the fit
    has not seen, but for the AUC, which needs no fit.
    """
    with _panels(2 * len(calibrations), svg, height=3.4, empty="Nothing is calibrated.", columns=2) as axes:
        for found, left, right in zip(calibrations, axes[::2], axes[1::2], strict=True):
            left.plot([0, 1], [0, 1], color=_INK, linewidth=1, linestyle=":")
            for (name, method), colour, marker in zip(found["methods"].items(), cycle(_COLOURS), "os^", strict=False):
                bins = method["bins"]
                place, height = ([each[key] for each in bins] for key in ("probability", "positives"))
                ends = np.array([each["interval"] for each in bins]).T
                spread = np.abs(ends - np.array(height))
                look: Any = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.3, "capsize": 2}
                left.errorbar(place, height, yerr=spread, label=name, **look)
                thresholds, f1 = ([each[key] for each in method["thresholds"]] for key in ("threshold", "f1"))
                right.plot(thresholds, [100 * each for each in f1], color=colour, linewidth=1.5)
            heading = f"{found['reranker']}/{found['training']} on {found['labels']}"
            auc, (low, high) = found["auc"], found["auc_interval"]
            told = f"{heading}\nAUC {auc:.2f} [{low:.2f}, {high:.2f}]"
            _describe_shares(left, told, "probability", "share of positives")
            _describe_shares(right, heading, "threshold", "F1 of what is kept (percent)")
            left.set_ylim(-0.02, 1.02)
            right.set_ylim(0, 100)


def _describe_shares(axis: Axes, heading: str, x: str, y: str) -> None:
    axis.set_title(heading)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.set_xlim(-0.02, 1.02)
    axis.grid()


def line_cells(
    settings: LineChartSettings, metrics: Sequence[Path | str], qualities: Sequence[Mapping[str, Any]] = ()
) -> pd.DataFrame:
    """The tidy frame of a chart: line by line from left to right, then the levels, without ``series`` and ``x``.

    The figures of labels, one after the other, follow those of the test set.
    """
    chart = settings.chart
    points = [
        (series.name, f"{x:g}", training) for series in chart.series for x, training in sorted(series.points.items())
    ]
    points += [("", "", training) for training in chart.levels]
    names = ["series", "x", "training"]
    frame = pd.DataFrame(points, columns=names).assign(backbone=chart.backbone)
    asked = frame.assign(column=chart.testset, metric=chart.metric)
    parts = [with_intervals(asked.merge(read_metrics(metrics, settings.seeds), how="left"))]
    of_labels = label_frame(settings.labels, qualities, chart.label_metrics)
    for metric in chart.label_metrics:
        parts.append(frame.assign(column=LABELS, metric=metric).merge(of_labels, how="left"))
    return tidy(pd.concat(parts, ignore_index=True), [*names, "backbone"])


def plot_lines(settings: LineChartSettings, cells: pd.DataFrame, svg: Path) -> None:
    """A metric by a number that trainings differ in (figures 3a and 3b of the paper), and what was not computed.

    The figures of the trainings' labels are panels of their own.
    """
    chart = settings.chart
    panels = list(cells.dropna(subset="value").groupby(["column", "metric"], sort=False))
    missing = ", ".join(dict.fromkeys(cells.loc[cells["value"].isna(), "training"]))
    notes = [chart.x_label, *([f"not computed: {missing}"] if missing else [])]
    notes += [f"{each.testset} is judged by {each.annotator}, which made labels" for each in settings.shared_judges]
    empty = f"{chart.title}: nothing was evaluated."
    with _panels(len(panels), svg, height=3.4, empty=empty, title=chart.title if len(panels) > 1 else "") as axes:
        for axis, ((column, metric), computed) in zip(axes, panels, strict=True):
            for series, colour, marker in zip(chart.series, cycle(_COLOURS), cycle("os^DvP"), strict=False):
                line = computed[computed["series"] == series.name]
                look: Any = {"color": colour, "marker": marker, "markersize": 5, "linewidth": 1.5, "label": series.name}
                place = line["x"].astype(float)
                axis.plot(place, line["value"], **look)
                axis.errorbar(place, line["value"], yerr=line["sd"], fmt="none", ecolor=colour, capsize=2)
            levels = computed[computed["x"] == ""].itertuples()
            for level, style in zip(levels, cycle(_LEVEL_LINES), strict=False):
                label = level.training if len(panels) > 1 else f"{level.training} ({level.value:.1f})"
                axis.axhline(level.value, color=_INK, linestyle=style, linewidth=1.2, label=label)
            axis.set_title("" if len(panels) > 1 else chart.title)
            axis.set_xlabel("\n".join(notes))
            unit = "" if metric == "positives_per_query" else " (percent)"
            axis.set_ylabel(f"{column}: {metric_name(metric)}{unit}")
            ticks = sorted({float(x) for x in computed["x"] if x})
            axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
            axis.margins(y=0.12)
            axis.grid()


def plot_positives(qualities: Sequence[Mapping[str, Any]], svg: Path, title: str = "") -> None:
    """How many positives each query has, a panel per label set, all to the same scale (paper, figure 2).

    Raises:
        InputError: a label set has scores (replug), and so no positives.
    """
    for quality in qualities:
        if not quality["selection"]:
            raise InputError(
                f"the chart {title!r} shows label set {quality['labels']}, which has scores, but no positives.",
                hint="leave out label sets of source replug.",
            )
    widest = max((len(quality["selection"]["distribution"]) for quality in qualities), default=0)
    with _panels(len(qualities), svg, height=2.6, empty=_NO_SELECTION, title=title) as axes:
        for axis, quality, colour in zip(axes, qualities, cycle(_COLOURS), strict=False):
            selection = quality["selection"]
            shares = [100 * queries / quality["queries"] for queries in selection["distribution"]]
            axis.bar(range(len(shares)), shares, width=0.9, color=colour)
            axis.axvline(selection["positives_per_query"], color=_INK, linewidth=1.2, linestyle="--")
            heading = f"{quality['labels']} (mean {selection['positives_per_query']:.1f})"
            _describe(axis, heading, "positives per query", "% of the queries")
            axis.set_xlim(-0.6, widest - 0.4)
        _same_scale(axes)


def selected_by_llm(qualities: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of these label sets whose positives are not those of humans; scores (replug) have no positives."""
    humans = [name for name, source in SOURCES.items() if source.human]
    return [quality for quality in qualities if quality["selection"] and quality["source"] not in humans]


def plot_positions(qualities: Sequence[Mapping[str, Any]], svg: Path) -> None:
    """Share of the passages shown at each position that the LLM selected, and that are human positives.

    Behind each share stands the range in which 95 % of the shares fall if position has no effect (normal
    approximation). Positions to which fewer than 1 % of the lists reach are left out, and so are label sets without
    positions (human labels, replug).
    """
    shown = [quality for quality in qualities if quality["positions"]]
    kinds = (("selected", "selected by the LLM", _COLOURS[0], -0.2), ("human", "human positive", _COLOURS[1], 0.2))
    with _panels(len(shown), svg, height=2.6, empty=_NO_SELECTION) as axes:
        for axis, quality in zip(axes, shown, strict=True):
            by_position = quality["positions"]["by_position"]
            lists = np.array(by_position["shown"])
            to_percent = 100 / lists[lists >= _FEWEST_LISTS * lists[0]]
            positions = np.arange(1, len(to_percent) + 1)
            for kind, label, colour, shift in kinds:
                observed, expected, deviation = (
                    np.array(by_position[kind][name])[: len(to_percent)] * to_percent
                    for name in ("observed", "expected", "standard_deviation")
                )
                low, high = np.clip([expected - NORMAL_95 * deviation, expected + NORMAL_95 * deviation], 0, 100)
                place = positions + shift
                axis.bar(place, high - low, bottom=low, width=0.38, color=colour, alpha=0.25)
                axis.plot(place, observed, color=colour, marker="o", markersize=4, linestyle="none", label=label)
            axis.bar(0, 0, color=_INK, alpha=0.25, label="95 % range if position has no effect")
            _describe(axis, quality["labels"], "position in the list shown", "% of the passages there")
            axis.set_xlim(0.4, len(positions) + 0.6)
        _same_scale(axes)


def plot_training(trainings: Sequence[Mapping[str, Any]], seeds: Mapping[str, Sequence[str]], svg: Path) -> None:
    """Loss by optimiser step, a panel per training; each panel has its own scale, since the losses differ in kind.

    The metric of a training's evaluations stands on a second axis, with a circle at the weights that were kept.
    ``seeds`` are by training those of each seed, which stand in one panel.
    """
    panels = {each: name for name, group in seeds.items() for each in group}
    names = list(dict.fromkeys(panels[record["name"]] for record in trainings))
    colours = dict(zip(dict.fromkeys(record["backbone"] for record in trainings), cycle(_COLOURS), strict=False))
    beside: dict[str, Axes] = {}
    with _panels(len(names), svg, height=2.4, empty="Nothing was trained.") as axes:
        for record in trainings:
            name = panels[record["name"]]
            axis, losses = axes[names.index(name)], record["losses"]
            look: Any = {"color": colours[record["backbone"]], "label": record["backbone"], "markersize": 3}
            marker = "o" if len(losses) <= 30 else None
            axis.plot(list(losses), list(losses.values()), marker=marker, linewidth=1.3, **look)
            _describe(axis, f"{name} ({record['training']['loss']})", "step", "loss")
            axis.set_ylim(bottom=0)
            if "dev" in record:
                if name not in beside:
                    beside[name] = axis.twinx()
                _draw_dev(beside[name], record["dev"], look["color"], record["backbone"])
        axes += beside.values()


def _draw_dev(axis: Axes, dev: Mapping[str, Any], colour: str, backbone: str) -> None:
    curve = {step: 100 * value for step, value in dev["curve"]}
    name = metric_name(dev["metric"])
    axis.plot(
        list(curve), list(curve.values()), color=colour, linestyle="--", linewidth=1.3, label=f"{backbone}, {name}"
    )
    axis.plot(dev["kept_step"], curve[dev["kept_step"]], color=colour, marker="o", fillstyle="none", linestyle="none")
    axis.set_ylabel(f"{name} (percent)")
    axis.spines["right"].set_visible(True)


def plot_verdict(figures: Mapping[str, Any], svg: Path) -> None:
    """What a training gained over each baseline, with its 95 % interval.

    The figures are those of :func:`.verdict.judge`.
    """
    against = figures["against"]
    with _panels(1, svg, height=0.7 + 0.3 * len(against), empty="") as (axis,):
        for place, found in enumerate(against.values()):
            ends = [[found["gain"] - found["low"]], [found["high"] - found["gain"]]]
            axis.errorbar(found["gain"], place, xerr=ends, color=_COLOURS[0], marker="o", markersize=6, capsize=4)
        axis.axvline(0, color=_INK, linewidth=1.2)
        axis.set_yticks(range(len(against)), [f"over {NAMES[name]}" for name in against])
        axis.set_ylim(len(against) - 0.4, -0.6)
        axis.set_xlabel(f"points of {metric_name(figures['metric'])} gained, with 95 % interval")
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x")


def _same_scale(axes: Sequence[Axes]) -> None:
    """One y axis from 0 for all panels."""
    for axis in axes:
        axis.set_ylim(0, 1.05 * max(other.dataLim.y1 for other in axes))


def _describe(axis: Axes, heading: str, x: str, y: str) -> None:
    """Heading, names of the axes and grid of a panel whose x axis counts something."""
    axis.set_title(heading)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(axis="y")
