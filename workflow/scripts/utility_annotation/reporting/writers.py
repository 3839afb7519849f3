"""A table as Markdown and as LaTeX: best in bold, second best underlined, marks raised, the paper's figure below ours.

A table that is wider than a page comes as several, one below the other, with the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .markup import markdown_table
from .tables import Column, Table, metric_name

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "†": r"$\dagger$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def to_markdown(table: Table) -> str:
    """The table under its title, its notes below."""
    lines = [f"## {table.title}", ""]
    for columns in table.bands():
        rows: list[list[str]] = []
        for row in table.rows():
            if row.apart and row.cells:
                rows.append([""] * (len(table.heads) + len(columns)))
            heads = row.heads if row.cells else [row.heads[0], f"*{row.heads[1]}*"]
            rows.append([*heads, *_cells(row.cells, columns, _markdown_cell)])
        headings = ["<br>".join(filter(None, (name, metric_name(metric)))) for name, metric in columns]
        lines += [*markdown_table([*table.heads, *headings], rows, texts=len(table.heads), aligned=True), ""]
    return "\n".join([*lines, *(f"- {note}" for note in table.notes), ""])


def _markdown_cell(cell: Any) -> str:
    text = {"best": f"**{cell.shown}**", "second": f"<ins>{cell.shown}</ins>"}.get(cell.standing, cell.shown)
    text += f"<sup>{cell.marks}</sup>" if cell.marks else ""
    return text + (f"<br><small>{cell.paper}</small>" if cell.paper else "")


def to_latex(table: Table) -> str:
    """The table for a paper (package booktabs), to stand across the page; its title and notes as comments."""
    lines = [f"% {line}" for line in (table.title, *table.notes)]
    lines.append(r"{\footnotesize\setlength{\tabcolsep}{3pt}")
    for columns in table.bands():
        headings = [_stacked(latex_text(name), latex_text(metric_name(metric))) for name, metric in columns]
        lines += [rf"\begin{{tabular}}{{{'l' * len(table.heads)}{'r' * len(columns)}}}", r"\toprule"]
        lines += [_latex_line([*map(latex_text, table.heads), *headings]), r"\midrule"]
        for row in table.rows():
            lines += [r"\addlinespace"] if row.apart else []
            first, *others = map(latex_text, row.heads)
            if row.cells:
                lines.append(_latex_line([first, *others, *_cells(row.cells, columns, _latex_cell)]))
            else:
                width = len(table.heads) - 1 + len(columns)
                lines.append(_latex_line([first, rf"\multicolumn{{{width}}}{{l}}{{\emph{{{others[0]}}}}}"]))
        lines += [r"\bottomrule", r"\end{tabular}", r"\par\medskip"]
    return "\n".join([*lines, "}", ""])


def latex_text(text: str) -> str:
    """Plain text as LaTeX shows it."""
    return re.sub("|".join(map(re.escape, _LATEX)), lambda found: _LATEX[found[0]], text)


def _latex_cell(cell: Any) -> str:
    shown = latex_text(cell.shown)
    text = {"best": rf"\textbf{{{shown}}}", "second": rf"\underline{{{shown}}}"}.get(cell.standing, shown)
    text += rf"\textsuperscript{{{latex_text(cell.marks)}}}" if cell.marks else ""
    return _stacked(text, rf"\scriptsize {latex_text(cell.paper)}") if cell.paper else text


def _stacked(above: str, below: str) -> str:
    return rf"\shortstack[r]{{{above}\\{below}}}" if above else below


def _latex_line(texts: Sequence[str]) -> str:
    return " & ".join(texts) + r" \\"


def _cells(cells: Mapping[Column, Any], columns: Sequence[Column], text: Callable[[Any], str]) -> list[str]:
    """The cells of a row as text; those of a heading are empty."""
    return [text(cells[column]) if cells else "" for column in columns]
