"""A table of results in Markdown and in LaTeX: best in bold, second best underlined, marks raised, the paper's beside.

A cell with a published figure shows ours, then the paper's and the difference in points. The paper's figure also stands
where ours was not computed; ours is then empty, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ..configuration import BM25, ResultsTable
from . import markup
from .tables import Cell, TableRow, columns_of, metric_name, run_name, table_rows


def markdown(settings: ResultsTable, cells: Sequence[Cell]) -> str:
    """The table with its title and legend."""
    columns = columns_of(cells)
    headings = ["backbone", "run", *(f"{name} {metric_name(metric)}" for name, metric in columns)]
    rows = []
    for backbone, title, row, of_row in _rows(settings, cells):
        if title:
            rows.append([backbone, f"*{title}*", *[""] * len(columns)])
        rows.append(["" if title else backbone, row, *map(_markdown_figure, of_row)])
    grid = markup.markdown_table(headings, rows, texts=2)
    return "\n".join([f"## {settings.title}", "", *grid, "", *(f"- {note}" for note in legend(settings, cells)), ""])


def latex(settings: ResultsTable, cells: Sequence[Cell]) -> str:
    """The table for a paper (package booktabs), its title and legend as comments."""
    columns = columns_of(cells)
    names = [(name, len(list(group))) for name, group in groupby(columns, key=lambda column: column[0])]
    spans, start = [], 3
    for _, width in names:
        spans.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    head = ["", "", *(rf"\multicolumn{{{width}}}{{c}}{{{markup.latex_text(name)}}}" for name, width in names)]
    metrics = ["backbone", "run", *(markup.latex_text(metric_name(metric)) for _, metric in columns)]
    lines = [_latex_line(head), " ".join(spans), _latex_line(metrics)]
    for place, (backbone, title, row, of_row) in enumerate(_rows(settings, cells)):
        if backbone or title or not place:
            lines.append(r"\midrule" if backbone or not place else r"\addlinespace")
        if title:
            lines.append(_latex_line([markup.latex_text(backbone), rf"\emph{{{markup.latex_text(title)}}}"]))
        figures = map(_latex_figure, of_row)
        lines.append(_latex_line(["" if title else markup.latex_text(backbone), markup.latex_text(row), *figures]))
    notes = [f"% {line}" for line in (settings.title, *legend(settings, cells))]
    body = [r"\toprule", *lines, r"\bottomrule"]
    return "\n".join([*notes, rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}", *body, r"\end{tabular}", ""])


def legend(settings: ResultsTable, cells: Sequence[Cell]) -> list[str]:
    """What the reader of a table has to know, a sentence or two an entry."""
    queries = {cell.column: cell.queries for cell in cells if cell.queries is not None}
    notes = [
        "Percent. Within a backbone's block, bold is best and underlined second best. An empty cell was not computed.",
        "Queries: " + ", ".join(f"{name} {number}" for name, number in queries.items()) + ".",
    ]
    if settings.published:
        notes.append(f"Below or beside each figure: the paper's table {settings.published}, and ours less the paper's.")
    if any(cell.doubtful for cell in cells):
        notes.append("?: the paper's figure was hard to read in its source.")
    seconds = sorted({row.second_baseline for row in table_rows(settings) if row.second_baseline})
    if settings.baseline:
        notes.append(f"+ and −: significantly better or worse than {settings.baseline} of the same backbone.")
    if seconds:
        notes.append(f"†: significantly better than {' or '.join(seconds)} of the same group and backbone.")
    if settings.baseline or seconds:
        notes.append(
            f"Significance: two-sided paired t-test over the queries, p < {settings.significance_level:g}; on an "
            "average stratified by test set."
        )
    return notes


def _rows(settings: ResultsTable, cells: Sequence[Cell]) -> Iterator[tuple[str, str, str, list[Cell]]]:
    """Backbone and group title, where they begin, the row's name and its cells."""
    by_row: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        by_row.setdefault((cell.backbone, cell.row), []).append(cell)
    before: TableRow | None = None
    for row in table_rows(settings):
        new_block = before is None or row.backbone != before.backbone
        new_group = row.group and (new_block or before is None or row.group != before.group)
        backbone = row.backbone if new_block and row.backbone != BM25 else ""
        yield backbone, row.group if new_group else "", run_name(row.name), by_row.get((row.backbone, row.name), [])
        before = row


def paper_figure(cell: Cell) -> str:
    """The published figure and the difference, or nothing: ``38.6 (−0.4)``; a doubtful one with a question mark."""
    if cell.published is None:
        return ""
    text = f"{cell.published:.1f}" + ("?" if cell.doubtful else "")
    return text if cell.difference is None else f"{text} ({cell.difference:+z.1f})".replace("-", "−")


def _markdown_figure(cell: Cell) -> str:
    figure = {"best": f"**{cell.shown}**", "second": f"<u>{cell.shown}</u>"}.get(cell.standing, cell.shown)
    figure += f"<sup>{cell.marks}</sup>" if cell.marks else ""
    return "<br>".join(filter(None, (figure, paper_figure(cell) and f"<small>{paper_figure(cell)}</small>")))


def _latex_figure(cell: Cell) -> str:
    figure = {"best": rf"\textbf{{{cell.shown}}}", "second": rf"\underline{{{cell.shown}}}"}.get(
        cell.standing, cell.shown
    )
    if cell.marks:
        figure += "$^{" + cell.marks.replace("−", "-").replace("†", r"\dagger ").strip() + "}$"
    paper = paper_figure(cell)
    return " ".join(filter(None, (figure, paper and rf"{{\scriptsize {markup.latex_text(paper)}}}")))


def _latex_line(texts: Sequence[str]) -> str:
    return " & ".join(texts) + r" \\"
