"""Tables in Markdown and text in LaTeX."""

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


def latex_text(text: str) -> str:
    """Plain text as LaTeX shows it."""
    return re.sub(r"[\\~^−<>|&%$#_{}]", lambda found: _LATEX[found[0]], text)
