"""Tables in Markdown and in LaTeX, from texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def markdown_line(texts: Sequence[str]) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(text.replace("|", r"\|") for text in texts) + " |"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> list[str]:
    """Lines of a Markdown table, the first ``texts`` columns to the left and the others to the right."""
    rule = ["---"] * texts + ["---:"] * (len(headings) - texts)
    return [markdown_line(headings), markdown_line(rule), *map(markdown_line, rows)]


def read_markdown_line(line: str) -> list[str]:
    """The texts of one row of a Markdown table, as :func:`markdown_line` was given them."""
    return [cell[1:-1].replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def latex_text(text: str) -> str:
    """Plain text as LaTeX shows it."""
    return re.sub(r"[\\~^−<>|&%$#_{}]", lambda found: _LATEX[found[0]], text)


def latex_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> list[str]:
    """Lines of a ``tabular`` with the rules of booktabs, aligned as :func:`markdown_table` does."""
    lines = [" & ".join(map(latex_text, row)) + r" \\" for row in (headings, *rows)]
    columns = "l" * texts + "r" * (len(headings) - texts)
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    return [rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"]
