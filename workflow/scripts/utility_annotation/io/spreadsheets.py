"""Text from outside in CSV files that people open in a spreadsheet, which computes what looks like a formula."""

from __future__ import annotations

import re
from typing import TypeVar

_Cell = TypeVar("_Cell")

_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet may compute: a sign, also a wide one, or white space that it passes over."""
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def as_cell(value: _Cell) -> _Cell | str:
    """A text with an apostrophe before it if a spreadsheet would compute it; any other value as it is."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
