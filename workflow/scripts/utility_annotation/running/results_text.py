"""What a person reads at the end of a run that went well: tables as plain text, where the rest is, and how to go on."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

REPORT = "results/report.html"
_SHOWN_TABLES = 3
_SHOWN_FILES = 5
_GAP = "  "
_EMPHASIS = (("**", "bold", "*"), ("<ins>", "underlined", "_"))
"""How a table file emphasizes a figure, what its notes call it, and the mark that stands for it in plain text."""

_AFTER_EVERYTHING = (
    ("snakemake -n{options}", "what a change of the configuration makes stale, and why"),
    ("snakemake own --configfile config/own-corpus.yaml -n", "the plan for a collection of your own"),
    ("snakemake --report report.zip{options}", "tables, figures and how each was made, in one archive"),
)
_AFTER_A_PART = (
    ("snakemake -n{options}", "what the tables, the figures and the report still take, and why"),
    ("snakemake --cores all{options}", "make them"),
    ("snakemake --list-target-rules{options}", "other targets"),
)


def table_file(name: str) -> str:
    """Where a table lies."""
    return f"results/tables/{name}.md"


def closing_lines(
    asked: Sequence[str],
    tables: Sequence[str],
    *,
    log: str,
    width: int,
    configurations: Sequence[str] = (),
    activation: str = "",
) -> list[str]:
    """What the end of a run shows.

    Args:
        asked: the files that were asked for.
        tables: names of the configuration's tables, of which those that were asked for are shown.
        log: where Snakemake says more.
        width: characters that a line holds.
        configurations: files that the command names with ``--configfile``.
        activation: the command that the shell needs before others, if any.
    """
    files = [table_file(name) for name in tables if table_file(name) in asked and Path(table_file(name)).is_file()]
    lines: list[str] = []
    unshown: list[str] = []
    for file in files:
        shown = plain_tables(Path(file).read_text("utf-8"), width)
        if len(files) - len(unshown) > _SHOWN_TABLES or max(map(len, shown), default=0) > width:
            unshown.append(file)
        else:
            lines += ["", *shown]
    others = [file for file in asked if not file.startswith("results/tables/") and file != REPORT]
    places = files if len(files) == 1 else ["results/tables/"] * bool(files)
    facts = [
        ("tables", "".join(f"{place} (as .csv and .tex as well){_not_above(unshown)}" for place in places)),
        ("report", REPORT if REPORT in asked else ""),
        ("made", "" if REPORT in asked else _few(others)),
        ("log", log),
    ]
    lines += ["", *(f"{name + ':':<9}{text}" for name, text in facts if text), "", "How to go on:"]
    options = " ".join([" --configfile", *configurations]) if configurations else ""
    told = _AFTER_EVERYTHING if REPORT in asked else _AFTER_A_PART
    commands = [(activation, "once in each shell")] if activation else []
    commands += [(command.format(options=options), what) for command, what in told]
    longest = max(len(command) for command, _ in commands)
    return [*lines, *(f"  {command:<{longest}}  # {what}" for command, what in commands)]


def _not_above(files: Sequence[str]) -> str:
    names = ", ".join(Path(file).name for file in files)
    return f"; too many or too wide to be shown here: {names}" if files else ""


def _few(files: Sequence[str]) -> str:
    if len(files) <= _SHOWN_FILES:
        return ", ".join(files)
    folders = dict.fromkeys(str(Path(file).parent) for file in files)
    return f"{len(files):,} files in {', '.join(list(folders)[:_SHOWN_FILES])}{', …' * (len(folders) > _SHOWN_FILES)}"


def plain_tables(markdown: str, width: int) -> list[str]:
    """The lines of a table file for a terminal: columns are aligned, and tags become plain characters."""
    lines: list[str] = []
    grid: list[list[str]] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            grid.append([cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
            continue
        if grid:
            lines += _aligned(grid)
            grid = []
        if line.startswith("#"):
            lines += [line.lstrip("# "), ""]
        elif line.startswith("- "):
            note = line[2:]
            for tag, word, mark in _EMPHASIS:
                note = re.sub(rf"\b{word}\b", f"{word} ({mark})", note) if tag in markdown else note
            lines += textwrap.wrap(note, width, initial_indent="  ", subsequent_indent="  ")
        elif line or lines[-1:] not in ([], [""]):
            lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _cell_lines(cell: str) -> list[tuple[str, str]]:
    """The lines of a cell without tags, each with the marks at its end, which stand in a column of their own."""
    if re.fullmatch(r"\*[^*]+\*", cell):  # the title of a group of rows
        cell = cell[1:-1]
    lines = []
    for line in re.split("<br ?/?>", cell):
        marks = "".join(mark for tag, _, mark in _EMPHASIS if tag in line) + "".join(
            re.findall("<sup>(.*?)</sup>", line)
        )
        lines.append((re.sub(r"<sup>.*?</sup>|</?\w+>|\*\*", "", line), marks))
    return lines


def _aligned(grid: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a Markdown table, whose second one says which columns stand to the right."""
    heading, rule, *rows = grid
    to_right = [cell.endswith(":") for cell in rule]
    cells = [[_cell_lines(cell) for cell in row] for row in (heading, *rows)]
    bodies = [max(len(body) for row in cells for body, _ in row[column]) for column in range(len(rule))]
    marks = [max(len(mark) for row in cells for _, mark in row[column]) for column in range(len(rule))]
    lines = []
    for number, row in enumerate(cells):
        for line in range(max(map(len, row))):
            texts = []
            for column, cell in enumerate(row):
                body, mark = cell[line] if line < len(cell) else ("", "")
                body = body.rjust(bodies[column]) if to_right[column] else body.ljust(bodies[column])
                texts.append(body + mark.ljust(marks[column]))
            lines.append(_GAP.join(texts).rstrip())
        if number == 0:
            lines.append(_GAP.join("-" * (body + mark) for body, mark in zip(bodies, marks, strict=True)))
    return [*lines, ""]
