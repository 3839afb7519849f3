"""A table as Markdown and as LaTeX: best in bold, second best underlined, marks raised, the paper's figure below ours.

A table that is wider than a page comes as several, one below the other, with the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..common.importing import large_packages
from .markup import markdown_table
from .tables import Column, Table, metric_name

with large_packages():
    import pandas as pd

_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$", "†": r"$\dagger$"}
)


def to_markdown(table: Table) -> str:
    """The table under its title, its notes below."""
    lines = [f"## {table.title}", ""]
    for columns in table.bands():
        headings = ["<br>".join(filter(None, (name, metric_name(metric)))) for name, metric in columns]
        rows = _rows(table, columns, str, _markdown_cell, "*{}*")
        lines += [*markdown_table([*table.heads, *headings], rows, texts=len(table.heads), aligned=True), ""]
    return "\n".join([*lines, *(f"- {note}" for note in table.notes), ""])


def to_latex(table: Table) -> str:
    """The table for a paper (package booktabs), to stand across the page; its title and notes as comments."""
    lines = [f"% {line}" for line in (table.title, *table.notes)]
    lines.append(r"{\footnotesize\setlength{\tabcolsep}{3pt}")
    for columns in table.bands():
        headings = [_stacked(latex_text(name), latex_text(metric_name(metric))) for name, metric in columns]
        rows = _rows(table, columns, latex_text, _latex_cell, r"\rlap{{\emph{{{}}}}}")
        frame = pd.DataFrame(rows, columns=[*map(latex_text, table.heads), *headings])
        sides = "l" * len(table.heads) + "r" * len(columns)
        lines += [frame.to_latex(index=False, escape=False, column_format=sides), r"\par\medskip"]
    return "\n".join([*lines, "}", ""])


def _rows(
    table: Table, columns: Sequence[Column], text: Callable[[str], str], cell: Callable[[Any], str], title: str
) -> list[list[str]]:
    """The rows as texts; an empty one sets a group without a title apart."""
    rows = []
    for row in table.rows():
        if row.apart and row.cells:
            rows.append([""] * (len(table.heads) + len(columns)))
        heads = list(map(text, row.heads))
        if not row.cells:
            heads[-1] = title.format(heads[-1])
        rows.append([*heads, *(cell(row.cells[column]) if row.cells else "" for column in columns)])
    return rows


def _markdown_cell(cell: Any) -> str:
    text = {"best": f"**{cell.shown}**", "second": f"<ins>{cell.shown}</ins>"}.get(cell.standing, cell.shown)
    text += f"<sup>{cell.marks}</sup>" if cell.marks else ""
    return text + (f"<br><small>{cell.paper}</small>" if cell.paper else "")


def _latex_cell(cell: Any) -> str:
    shown = latex_text(cell.shown)
    text = {"best": rf"\textbf{{{shown}}}", "second": rf"\underline{{{shown}}}"}.get(cell.standing, shown)
    text += rf"\textsuperscript{{{latex_text(cell.marks)}}}" if cell.marks else ""
    return _stacked(text, rf"\scriptsize {latex_text(cell.paper)}") if cell.paper else text


def _stacked(above: str, below: str) -> str:
    return rf"\shortstack[r]{{{above}\\{below}}}" if above else below


def latex_text(text: str) -> str:
    """Plain text as LaTeX shows it."""
    return text.translate(_LATEX)
