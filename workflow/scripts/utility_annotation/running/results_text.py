"""What a person reads at the end of a run that went well: tables as plain text, where the rest is, and how to go on."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import groupby, zip_longest
from pathlib import Path

REPORT = "results/report.html"
VERDICTS = "results/verdicts/"
_SHOWN_TABLES = 3
_SHOWN_FILES = 5
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_EMPHASIS = (("**", "bold", "*"), ("<ins>", "underlined", "_"))
"""How a table file emphasizes a figure, what its notes call it, and the mark that stands for it in plain text."""

_COMMANDS = (
    ("snakemake -n{options}", "what is still to be made, or is stale, and why"),
    ("snakemake --cores all{options}", "make it"),
    ("snakemake own --configfile config/own-corpus.yaml -n", "the plan for a collection of your own"),
    ("snakemake --report report.zip{options}", "tables, figures and how each was made, in one archive"),
)


def closing_lines(
    asked: Sequence[str],
    tables: Sequence[str],
    *,
    log: str,
    width: int,
    configurations: Sequence[str] = (),
    activation: str = "",
) -> list[str]:
    """What the end of a run shows of the files that were asked for, the configuration's tables among them.

    ``configurations`` are the files after ``--configfile``, ``activation`` the command that the shell needs first.
    """
    verdicts = [file for file in asked if file.startswith(VERDICTS) and Path(file).is_file()]
    files = [file for name in tables if (file := f"results/tables/{name}.md") in asked and Path(file).is_file()]
    texts = [plain_tables(Path(file).read_text("utf-8"), width) for file in files[:_SHOWN_TABLES]]
    shown = [text for text in texts if max(map(len, text), default=0) <= width]
    lines = []
    for file in verdicts:
        lines += ["", *textwrap.wrap(Path(file).read_text("utf-8"), min(width, 120))]
    lines += [line for text in shown for line in ("", *text)]
    others = [file for file in asked if not file.startswith(("results/tables/", VERDICTS)) and file != REPORT]
    place = files[0] if len(files) == 1 else "results/tables/"
    left_out = f"; not shown here: {len(files) - len(shown)}" if len(shown) < len(files) else ""
    more = f" and {len(others) - _SHOWN_FILES:,} more" if len(others) > _SHOWN_FILES else ""
    facts = {
        "tables": f"{place} (as .csv and .tex as well){left_out}" if files else "",
        "report": REPORT if REPORT in asked else "",
        "made": "" if REPORT in asked else ", ".join(others[:_SHOWN_FILES]) + more,
        "log": log,
    }
    lines += ["", *(f"{name + ':':<9}{text}" for name, text in facts.items() if text), "", "How to go on:"]
    options = " ".join([" --configfile", *configurations]) if configurations else ""
    commands = [(activation, "once in each shell")] if activation else []
    commands += [(command.format(options=options), what) for command, what in _COMMANDS]
    longest = max(len(command) for command, _ in commands)
    return [*lines, *(f"  {command:<{longest}}  # {what}" for command, what in commands)]


def plain_tables(markdown: str, width: int) -> list[str]:
    """The lines of a table file for a terminal: columns are aligned, and tags become plain characters."""
    lines: list[str] = []
    for is_table, group in groupby(markdown.strip().splitlines(), lambda line: line.startswith("|")):
        if is_table:
            lines += _aligned([_CELL_BORDER.split(line)[1:-1] for line in group])
            continue
        for line in group:
            if line.startswith("- "):
                for tag, word, mark in _EMPHASIS:
                    line = re.sub(rf"\b{word}\b", f"{word} ({mark})", line) if tag in markdown else line
                lines += textwrap.wrap(line[2:], width, initial_indent="  ", subsequent_indent="  ")
            else:
                lines.append(line.lstrip("# "))
    return lines


def _cell_lines(cell: str) -> list[tuple[str, str]]:
    """The lines of a cell without tags, each with the marks at its end, which stand in a column of their own."""
    lines = []
    for line in re.split("<br ?/?>", re.sub(r"^\*([^*]+)\*$", r"\1", cell.replace(r"\|", "|"))):
        marks = [mark for tag, _, mark in _EMPHASIS if tag in line] + re.findall("<sup>(.*?)</sup>", line)
        lines.append((re.sub(r"<sup>.*?</sup>|</?\w+>|\*\*", "", line), "".join(marks)))
    return lines


def _aligned(grid: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a Markdown table, whose second one says which columns stand to the right."""
    heading, rule, *rows = grid
    cells = [[_cell_lines(cell.strip()) for cell in row] for row in (heading, *rows)]
    columns = [[line for cell in column for line in cell] for column in zip(*cells, strict=True)]
    widths = [tuple(max(map(len, part)) for part in zip(*column, strict=True)) for column in columns]
    lines = []
    for row in cells:
        for parts in zip_longest(*row, fillvalue=("", "")):
            texts = [
                (text.rjust(wide) if side.endswith(":") else text.ljust(wide)) + marks.ljust(marked)
                for (text, marks), (wide, marked), side in zip(parts, widths, map(str.strip, rule), strict=True)
            ]
            lines.append("  ".join(texts).rstrip())
    lines.insert(max(map(len, cells[0])), "  ".join("-" * (wide + marked) for wide, marked in widths))
    return lines
