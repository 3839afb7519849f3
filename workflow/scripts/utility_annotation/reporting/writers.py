"""A table as Markdown and as LaTeX: best in bold, second best underlined, marks raised, the paper's figure below ours.

A table that is wider than a page comes as several, one below the other, with the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .markup import latex_text, markdown_table
from .tables import Column, Table, by_name, metric_name


def to_markdown(table: Table) -> str:
    """The table under its title, its notes below."""
    lines = [f"## {table.title}", ""]
    for columns in table.bands():
        headings = [f"{name}<br>{metric_name(metric)}" if name else metric_name(metric) for name, metric in columns]
        rows: list[list[str]] = []
        for row in table.rows():
            first, *other = row.heads
            if row.starts_group and row.group_title:
                rows.append([first, f"*{row.group_title}*", *[""] * len(columns)])
                first = ""
            elif row.starts_group and rows:
                rows.append([""] * (len(row.heads) + len(columns)))
            rows.append([first, *other, *(_markdown_cell(row.cells[column]) for column in columns)])
        lines += [*_aligned([*table.heads, *headings], rows, len(table.heads)), ""]
    return "\n".join([*lines, *(f"- {note}" for note in table.notes), ""])


def to_latex(table: Table) -> str:
    """The table for a paper (package booktabs), to stand across the page; its title and notes as comments."""
    comments = [f"% {line}" for line in (table.title, *table.notes)]
    body: list[str] = []
    for columns in table.bands():
        body += [r"\par\medskip"] if body else []
        body += _tabular(table, columns)
    return "\n".join([*comments, r"{\footnotesize\setlength{\tabcolsep}{3pt}", *body, "}", ""])


def _aligned(headings: Sequence[str], rows: Sequence[Sequence[str]], heads: int) -> list[str]:
    """Lines of a Markdown table whose columns also line up as plain text."""
    widths = [max(map(len, texts)) for texts in zip(headings, *rows, strict=True)]

    def padded(texts: Sequence[str]) -> list[str]:
        names = [text.ljust(width) for text, width in zip(texts[:heads], widths[:heads], strict=True)]
        return names + [text.rjust(width) for text, width in zip(texts[heads:], widths[heads:], strict=True)]

    return markdown_table(padded(headings), list(map(padded, rows)), texts=heads)


def _markdown_cell(cell: Any) -> str:
    text = {"best": f"**{cell.shown}**", "second": f"<ins>{cell.shown}</ins>"}.get(cell.standing, cell.shown)
    text += f"<sup>{cell.marks}</sup>" if cell.marks else ""
    return text + (f"<br><small>{cell.paper}</small>" if cell.paper else "")


def _tabular(table: Table, columns: Sequence[Column]) -> list[str]:
    """One ``tabular`` of some columns."""
    heads = len(table.heads)
    lines = [r"\toprule", *_latex_headings(table, columns), r"\midrule"]
    for number, row in enumerate(table.rows()):
        first, *other = map(latex_text, row.heads)
        if row.starts_group and number:
            lines.append(r"\midrule" if row.starts_block else r"\addlinespace")
        if row.starts_group and row.group_title:
            title = rf"\multicolumn{{{heads - 1 + len(columns)}}}{{l}}{{\emph{{{latex_text(row.group_title)}}}}}"
            lines.append(_latex_line([first, title]))
            first = ""
        cells = [row.cells[column] for column in columns]
        ours = _latex_line([first, *other, *map(_latex_cell, cells)])
        if any(cell.paper for cell in cells):
            paper = [rf"{{\scriptsize {latex_text(cell.paper)}}}" if cell.paper else "" for cell in cells]
            lines += [f"{ours}[-1pt]", _latex_line([*[""] * heads, *paper]) + "[1pt]"]
        else:
            lines.append(ours)
    return [rf"\begin{{tabular}}{{{'l' * heads}{'r' * len(columns)}}}", *lines, r"\bottomrule", r"\end{tabular}"]


def _latex_headings(table: Table, columns: Sequence[Column]) -> list[str]:
    """The names of the columns, where they have any, above their metrics."""
    metrics = _latex_line([*map(latex_text, table.heads), *(latex_text(metric_name(metric)) for _, metric in columns)])
    if not any(name for name, _ in columns):
        return [metrics]
    names, rules, start = [""] * len(table.heads), [], len(table.heads) + 1
    for name, below in by_name(columns):
        end = start + len(below) - 1
        names.append(rf"\multicolumn{{{len(below)}}}{{c}}{{{latex_text(name)}}}")
        rules += [rf"\cmidrule(lr){{{start}-{end}}}"] if name else []
        start = end + 1
    return [_latex_line(names), " ".join(rules), metrics]


def _latex_cell(cell: Any) -> str:
    shown = latex_text(cell.shown)
    text = {"best": rf"\textbf{{{shown}}}", "second": rf"\underline{{{shown}}}"}.get(cell.standing, shown)
    if cell.marks:
        text += "$^{" + cell.marks.replace("−", "-").replace("†", r"\dagger ").strip() + "}$"
    return text


def _latex_line(texts: Sequence[str]) -> str:
    return " & ".join(texts) + r" \\"
