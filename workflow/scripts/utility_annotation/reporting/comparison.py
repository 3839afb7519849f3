"""Tables of plain figures, each beside the paper's with the difference: Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.files import atomic_write
from . import markup

_OF_THE_PAPER = ("paper", "difference")


@dataclass(frozen=True)
class Column:
    """A figure of every row: its name in the CSV, its heading, and its decimals."""

    name: str
    heading: str
    decimals: int = 1

    def shown(self, value: float | None, sign: str = "") -> str:
        """A value as the table shows it, or nothing; ``sign`` is that of Python's format."""
        if value is None:
            return ""
        return f"{value:{sign}z,.{self.decimals}f}".replace("-", "−")


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        head: what the row is, in as many texts as the table has heads.
        ours: column name to figure; None, or nothing, where it is not known.
        published: column name to the paper's figure, as far as there is one.
    """

    head: tuple[str, ...]
    ours: Mapping[str, float | None]
    published: Mapping[str, float]

    def difference(self, column: str) -> float | None:
        """Our figure less the paper's; None where one of them is missing."""
        ours, theirs = self.ours.get(column), self.published.get(column)
        return None if ours is None or theirs is None else ours - theirs


@dataclass(frozen=True)
class ShownComparison:
    """A table as :meth:`Comparison.markdown` shows it, in texts; the first ``heads`` columns are no figures."""

    title: str
    headings: list[str]
    rows: list[list[str]]
    notes: list[str]
    heads: int

    @classmethod
    def read(cls, path: Path | str) -> ShownComparison:
        """Read a file of :meth:`Comparison.markdown`."""
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        headings, rule, *rows = [markup.read_markdown_line(line) for line in lines if line.startswith("|")]
        notes = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
        return cls(lines[0].removeprefix("## "), headings, rows, notes, rule.count("---"))


@dataclass(frozen=True)
class Comparison:
    """A table.

    Attributes:
        title: its heading.
        heads: headings of the rows' heads.
        columns: its figures; the paper's stand beside those for which it has one in any row.
        rows: from top to bottom.
        notes: what the reader has to know, a sentence or two an entry.
        published: number of the paper's table whose figures stand beside ours, if any do.
    """

    title: str
    heads: tuple[str, ...]
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str]
    published: str | None = None

    def markdown(self) -> str:
        """The table under its title, its notes below."""
        grid = markup.markdown_table(self._headings(), self._texts(), texts=len(self.heads))
        return "\n".join([f"## {self.title}", "", *grid, "", *(f"- {note}" for note in self._legend()), ""])

    def latex(self) -> str:
        """The table for a paper (package booktabs), its notes as comments."""
        grid = markup.latex_table(self._headings(), self._texts(), texts=len(self.heads))
        return "\n".join([f"% {line}" for line in (self.title, *self._legend())] + [*grid, ""])

    def write_csv(self, path: Path | str) -> None:
        """A line a row and column: the row's heads, ``metric``, ``value``, ``published`` and ``difference``."""
        with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*self.heads, "metric", "value", "published", "difference"])
            for row in self.rows:
                for column in self.columns:
                    name = column.name
                    figures = (row.ours.get(name), row.published.get(name), row.difference(name))
                    writer.writerow([*row.head, name, *("" if x is None else round(x, 6) for x in figures)])

    def _legend(self) -> list[str]:
        source = f"Paper: its table {self.published}; difference: ours less the paper's."
        return [*self.notes, *([source] if self.published else [])]

    def _published(self, column: Column) -> bool:
        return any(column.name in row.published for row in self.rows)

    def _headings(self) -> list[str]:
        headings = list(self.heads)
        for column in self.columns:
            headings += [column.heading, *(_OF_THE_PAPER if self._published(column) else ())]
        return headings

    def _texts(self) -> list[list[str]]:
        return [
            [*row.head, *(text for column in self.columns for text in self._shown(row, column))] for row in self.rows
        ]

    def _shown(self, row: Row, column: Column) -> list[str]:
        texts = [column.shown(row.ours.get(column.name))]
        if self._published(column):
            texts.append(column.shown(row.published.get(column.name)))
            texts.append(column.shown(row.difference(column.name), sign="+"))
        return texts
