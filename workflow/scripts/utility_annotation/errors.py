"""The one exception that a user is meant to read, and the way a script turns it into an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path


class Item(int):
    """The 1-based number of an item of one JSON document: the place of a row where other files have lines."""


def place(line: int) -> str:
    """A row's place in its file, in words: ``line 3``, or ``item 3`` for an ``Item``."""
    return f"{'item' if isinstance(line, Item) else 'line'} {line}"


class InputError(Exception):
    """Bad input or a bad setting: names the place, what is wrong there, and what to do about it.

    Args:
        problem: what is wrong, in one sentence.
        mend: what the user can do about it, in one sentence.
        path: the file concerned, if any.
        line: the 1-based line (or ``Item``) in that file, if any.
    """

    def __init__(self, problem: str, *, mend: str, path: Path | str | None = None, line: int | None = None) -> None:
        self.problem, self.mend, self.path, self.line = problem, mend, path, line
        where = "" if path is None else f"{path}, {place(line)}: " if line is not None else f"{path}: "
        super().__init__(f"{where}{problem} To mend it: {mend}")


def run_script(main: Callable[[list[str] | None], None]) -> None:
    """Run a script's ``main``: an InputError becomes one line on standard error and exit code 1."""
    try:
        main(None)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
