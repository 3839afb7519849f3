"""What a check says, row by row, and the table of it as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from ..common.errors import InputError, printable

State = Literal["ready", "not ready", "not looked at"]

_NAMED = 4
"""Names that are shown of rows that say the same; more of them are counted alone."""
_FIRST_COLUMN = 34
"""Its characters at most."""


@dataclass(frozen=True)
class Row:
    """One thing that a run needs.

    Attributes:
        kind: what it is, in the singular; where several of one kind say the same, they become one row.
        name: which one.
        about: what was found; of what was not looked at, the reason.
        fix: what to do where it is not ready.
    """

    kind: str
    name: str
    state: State
    about: str
    fix: str = ""


def not_ready(kind: str, name: str, error: InputError) -> Row:
    """The row of an error."""
    return Row(kind, name, "not ready", printable(error.problem).rstrip("."), printable(error.hint))


def table(rows: Sequence[Row], width: int) -> str:
    """The rows as aligned lines of at most ``width`` characters where words allow that; then how many are not ready."""
    joined = list(_together(rows))
    first = min(max((len(row.name) for row in joined), default=0), _FIRST_COLUMN)
    text = []
    for row in joined:
        cells = (_wrapped(row.name, first), [row.state], _wrapped(row.about, width - first - 17))
        text += [
            f"{what:{first}}  {state:13}  {said}".rstrip() for what, state, said in zip_longest(*cells, fillvalue="")
        ]
        text += [f"    {line}" for line in _wrapped(f"Fix: {row.fix}", width - 4) if row.fix]
    return "\n".join([*text, "", _summary([row.state for row in joined])])


def _summary(states: Sequence[State]) -> str:
    failed = states.count("not ready")
    if failed:
        return f"{failed} of {len(states)} rows {'is' if failed == 1 else 'are'} not ready."
    return "All that was looked at is ready." if "not looked at" in states else "All is ready."


def _together(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows, named in full; those of a kind that say the same are one."""
    alike: dict[Row, list[str]] = {}
    for row in rows:
        alike.setdefault(replace(row, name=""), []).append(row.name)
    for row, names in alike.items():
        if len(names) == 1:
            yield replace(row, name=f"{row.kind} {names[0]}".strip())
        else:
            named = f": {', '.join(names)}" if len(names) <= _NAMED else ""
            yield replace(row, name=f"{len(names)} {row.kind}s", about=row.about + named)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 10), break_long_words=False, break_on_hyphens=False)
