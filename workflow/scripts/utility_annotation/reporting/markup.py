"""Tables in Markdown, for every module that writes one."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#!&~$])")


def as_plain_text(text: str) -> str:
    """Text of others in one line of Markdown, where none of it is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def markdown_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int, aligned: bool = False
) -> list[str]:
    """Lines of a Markdown table; the first ``texts`` columns stand to the left and the others to the right.

    An aligned table lines up as plain text as well.
    """
    rule = ["---"] * texts + ["---:"] * (len(headings) - texts)
    grid = [[text.replace("|", r"\|") for text in row] for row in (headings, rule, *rows)]
    widths = [max(map(len, column)) if aligned else 0 for column in zip(*grid, strict=True)]
    sides = ["<"] * texts + [">"] * (len(headings) - texts)
    line = "| " + " | ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True)) + " |"
    return [line.format(*row) for row in grid]
