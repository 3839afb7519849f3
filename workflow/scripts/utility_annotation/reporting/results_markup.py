"""A table of results in Markdown and in LaTeX: best in bold, second best underlined, marks raised, the paper's below.

Below ours stands the paper's figure, if there is one, and the difference in points. It also stands where ours was not
computed; ours is then empty, never guessed. A table that is wider than a page comes as several, one below the other,
with the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from ..settings import BM25, ResultsTable
from . import markup
from .tables import Cell, TableRow, columns_of, metric_name, table_rows, training_name

_LINE = 96  # characters that a page holds side by side
_FIGURE, _BESIDE_PUBLISHED = 7, 12  # of them for "45.0" with marks, and for "38.6? (−0.4)"

Column = tuple[str, str]
"""Name and metric."""


class _Line(NamedTuple):
    """A row as it is written: backbone and title where they begin, whether a group begins, and the row's cells."""

    backbone: str
    title: str
    starts_group: bool
    name: str
    cells: list[Cell]


def markdown(settings: ResultsTable, cells: Sequence[Cell]) -> str:
    """The table with its title and legend."""
    grids = []
    for columns in bands(settings, cells):
        headings = ["backbone", "training", *(f"{name}<br>{metric_name(metric)}" for name, metric in columns)]
        rows: list[list[str]] = []
        for line in _lines(settings, cells, columns):
            backbone = line.backbone
            if line.starts_group and line.title:
                rows.append([backbone, f"*{line.title}*", *[""] * len(columns)])
                backbone = ""
            elif line.starts_group and rows:
                rows.append([""] * (2 + len(columns)))
            rows.append([backbone, line.name, *map(_markdown_figure, line.cells)])
        grids += [*markup.markdown_table(headings, rows, texts=2), ""]
    return "\n".join([f"## {settings.title}", "", *grids, *(f"- {note}" for note in legend(settings, cells)), ""])


def latex(settings: ResultsTable, cells: Sequence[Cell]) -> str:
    """The table for a paper (package booktabs), to stand across the page; its title and legend as comments."""
    notes = [f"% {line}" for line in (settings.title, *legend(settings, cells))]
    tabulars = [_tabular(columns, _lines(settings, cells, columns)) for columns in bands(settings, cells)]
    body = [line for place, tabular in enumerate(tabulars) for line in (*[r"\par\medskip"] * bool(place), *tabular)]
    return "\n".join([*notes, r"{\footnotesize\setlength{\tabcolsep}{3pt}", *body, "}", ""])


def bands(settings: ResultsTable, cells: Sequence[Cell]) -> list[list[Column]]:
    """The columns that stand side by side in each of the tables; those of one name stay together."""
    rows = table_rows(settings)
    room = _LINE - max(len(row.backbone) for row in rows) - max(len(row.name) for row in rows)
    figure = _FIGURE if all(cell.published is None for cell in cells) else _BESIDE_PUBLISHED
    found: list[list[Column]] = []
    left = 0
    for name, group in groupby(columns_of(cells), key=lambda column: column[0]):
        columns = list(group)
        width = max(len(name), figure * len(columns))
        if not found or width > left:
            found.append([])
            left = room
        found[-1] += columns
        left -= width
    return found


def _tabular(columns: Sequence[Column], rows: Iterator[_Line]) -> list[str]:
    """One ``tabular`` of some columns."""
    names = [(name, len(list(group))) for name, group in groupby(columns, key=lambda column: column[0])]
    spans, start = [], 3
    for _, width in names:
        spans.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    head = ["", "", *(rf"\multicolumn{{{width}}}{{c}}{{{markup.latex_text(name)}}}" for name, width in names)]
    metrics = ["backbone", "training", *(markup.latex_text(metric_name(metric)) for _, metric in columns)]
    lines = [r"\toprule", _latex_line(head), " ".join(spans), _latex_line(metrics), r"\midrule"]
    first = len(lines)
    for line in rows:
        backbone = markup.latex_text(line.backbone)
        if line.starts_group and len(lines) > first:
            lines.append(r"\midrule" if backbone else r"\addlinespace")
        if line.starts_group and line.title:
            title = rf"\multicolumn{{{len(columns) + 1}}}{{l}}{{\emph{{{markup.latex_text(line.title)}}}}}"
            lines.append(_latex_line([backbone, title]))
            backbone = ""
        ours = _latex_line([backbone, markup.latex_text(line.name), *map(_latex_figure, line.cells)])
        if any(cell.published is not None for cell in line.cells):
            lines += [f"{ours}[-1pt]", _latex_line(["", "", *map(_latex_paper, line.cells)]) + "[1pt]"]
        else:
            lines.append(ours)
    return [rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}", *lines, r"\bottomrule", r"\end{tabular}"]


def legend(settings: ResultsTable, cells: Sequence[Cell]) -> list[str]:
    """What the reader of a table has to know, a sentence or two an entry."""
    queries = {cell.column: cell.queries for cell in cells if cell.queries is not None}
    notes = [
        "Percent. Within a backbone's block, bold is best and underlined second best. What was not computed is empty."
    ]
    if queries:
        notes.append("Queries: " + ", ".join(f"{name} {number}" for name, number in queries.items()) + ".")
    if settings.published:
        notes.append(
            f"Small, below ours: the figure of the paper's table {settings.published}, and in parentheses ours less "
            "the paper's. It also stands where ours was not computed."
        )
    if any(cell.doubtful for cell in cells):
        notes.append("A question mark (?): the paper's figure was hard to read in its source.")
    seconds = list(dict.fromkeys(row.second_baseline for row in table_rows(settings) if row.second_baseline))
    if settings.baseline:
        notes.append(f"Marks + and −: significantly better or worse than {settings.baseline} of the same backbone.")
    if seconds:
        notes.append(f"Mark †: significantly better than {' or '.join(seconds)} of the same group and backbone.")
    if settings.baseline or seconds:
        notes.append(
            f"Significance: two-sided paired t-test over the queries, p < {settings.significance_level:g}; on an "
            "average stratified by test set."
        )
    return notes


def _lines(settings: ResultsTable, cells: Sequence[Cell], columns: Sequence[Column]) -> Iterator[_Line]:
    """The rows with their cells in some columns."""
    by_place = {(cell.backbone, cell.row, cell.column, cell.metric): cell for cell in cells}
    before: TableRow | None = None
    for row in table_rows(settings):
        starts_block = before is None or row.backbone != before.backbone
        backbone = row.backbone if starts_block and row.backbone != BM25 else ""
        of_row = [by_place[row.backbone, row.name, *column] for column in columns]
        yield _Line(backbone, row.group, row.starts_group, training_name(row.name), of_row)
        before = row


def paper_figure(cell: Cell) -> str:
    """The published figure and the difference, or nothing: ``38.6 (−0.4)``; a doubtful one with a question mark."""
    if cell.published is None:
        return ""
    text = f"{cell.published:.1f}" + ("?" if cell.doubtful else "")
    return text if cell.difference is None else f"{text} ({cell.difference:+z.1f})".replace("-", "−")


def _markdown_figure(cell: Cell) -> str:
    figure = {"best": f"**{cell.shown}**", "second": f"<ins>{cell.shown}</ins>"}.get(cell.standing, cell.shown)
    figure += f"<sup>{cell.marks}</sup>" if cell.marks else ""
    paper = paper_figure(cell)
    return figure + (f"<br><small>{paper}</small>" if paper else "")


def _latex_figure(cell: Cell) -> str:
    figure = {"best": rf"\textbf{{{cell.shown}}}", "second": rf"\underline{{{cell.shown}}}"}.get(
        cell.standing, cell.shown
    )
    if cell.marks:
        figure += "$^{" + cell.marks.replace("−", "-").replace("†", r"\dagger ").strip() + "}$"
    return figure


def _latex_paper(cell: Cell) -> str:
    paper = paper_figure(cell)
    return rf"{{\scriptsize {markup.latex_text(paper)}}}" if paper else ""


def _latex_line(texts: Sequence[str]) -> str:
    return " & ".join(texts) + r" \\"
