"""What a document is, whatever its format: blocks of text, each below its headings."""

from __future__ import annotations

from typing import NamedTuple

LARGEST = 1 << 28
"""Bytes of a document, decompressed. A few kB of a compressed file may hold one that exceeds any memory."""


class Block(NamedTuple):
    """A paragraph, an item of a list, a row of a table or a listing.

    Attributes:
        text: its text; a listing keeps its lines.
        headings: what it stands below, the highest first.
        page: its page, counted from 1; None in formats without pages.
    """

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None


class Document(NamedTuple):
    """A document.

    Attributes:
        title: its own; empty if it has none.
        blocks: its text, in order.
        name: of one of several documents in a file; empty for the only one.
        note: what of it could not be read; empty if all could.
    """

    title: str
    blocks: list[Block]
    name: str = ""
    note: str = ""


class Unreadable(Exception):
    """A document that cannot be read; the message says why, such as ``it is encrypted``."""


class Headings:
    """The headings that apply at a place of a document that is read in order."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def begin(self, level: int, text: str) -> None:
        """A heading; it ends those of its level and of lower ones. Level 1 is the highest."""
        self._open = [*(each for each in self._open if each[0] < level), (level, text)]

    @property
    def path(self) -> tuple[str, ...]:
        """The headings, the highest first."""
        return tuple(text for _, text in self._open)


def one_line(text: str) -> str:
    """A text with one space in place of each run of white space."""
    return " ".join(text.split())
