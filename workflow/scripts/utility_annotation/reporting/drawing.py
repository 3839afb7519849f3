"""What the figures share: colours, panels, their legend, and how they are saved.

Colours are Okabe and Ito's, which people with any common colour blindness tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..common.files import atomic_write

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GRID = "#222222", "#DDDDDD"
_PANEL_WIDTH = 3.4
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "font.size": 9,
    "legend.frameon": False,
    "svg.hashsalt": "utility-annotation",  # the same figure gives the same file
    "text.color": INK,
}


@contextmanager
def panels(number: int, svg: Path, *, height: float, empty: str) -> Iterator[list[Axes]]:
    """Axes of ``number`` panels of ``height`` inches, at most three in a row; saved as SVG and PNG on leaving.

    Where there is nothing to draw the figure says so with the sentence ``empty``.
    """
    with matplotlib.rc_context(_STYLE):
        columns = min(3, max(1, number))
        rows = max(1, math.ceil(number / columns))
        figure = Figure((max(2, columns) * _PANEL_WIDTH, rows * height + 0.4), layout="constrained", facecolor="white")
        if number:
            axes = list(figure.subplots(rows, columns, squeeze=False).flat)
            for unused in axes[number:]:
                unused.remove()
            yield axes[:number]
        else:
            figure.text(0.5, 0.5, empty, ha="center", va="center")
            yield []
        with atomic_write(svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        with atomic_write(svg.with_suffix(".png")) as temporary:
            figure.savefig(temporary, format="png", dpi=160)


def describe(axis: Axes, heading: str, x: str, y: str, grid: Literal["x", "y", "both"] = "both") -> None:
    """Heading, names of the axes and grid of a panel whose x axis counts something."""
    axis.set_title(heading)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(axis=grid, color=GRID)


def legend(axes: Sequence[Axes], handles: Sequence[Any]) -> None:
    """One legend for all panels, above them, if there are any."""
    if not axes:
        return
    figure = axes[0].get_figure(root=True)
    assert figure is not None  # every panel stands in one
    figure.legend(handles=handles, loc="outside upper left", ncols=5 if len(axes) > 2 else 3)


def title(axes: Sequence[Axes], text: str) -> None:
    """A heading above all panels."""
    figure = axes[0].get_figure(root=True)
    assert figure is not None  # every panel stands in one
    figure.suptitle(text)


def cycle() -> Iterator[str]:
    """The colours, over and over."""
    while True:
        yield from COLOURS
