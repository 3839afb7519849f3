"""Tables with a header line and double quotes: CSV, TSV, and tables with semicolons."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ...common.errors import InputError
from . import lines
from .fields import Row

_DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons"}

csv.field_size_limit(lines.LONGEST)


def rows(path: Path) -> Iterator[Row]:
    """The rows under the header line, by its names. The first of tab, comma and semicolon in it separates columns.

    A column without a name is passed over; pandas writes its index into one.

    Raises:
        InputError: a repeated name in the header, another number of columns, or broken quoting.
    """
    header = next((line for _, line in lines.iter_lines(path)), b"").decode(errors="replace")
    delimiter = next((each for each in _DELIMITERS if each in header), ",")
    found = records(path, delimiter)
    number, names = next(found, (1, []))
    if repeated := [name for name in names if name and names.count(name) > 1]:
        raise InputError(
            f"{repeated[0]!r} stands twice in the header line ({', '.join(names)}).",
            hint="give every column a name of its own in the first line.",
            path=path,
            line=number,
        )
    for number, record in found:
        if len(record) != len(names):
            raise lines.wrong_columns(len(record), tuple(names), path, number, _DELIMITERS[delimiter])
        yield Row(path, number, dict(zip(names, record, strict=True)))


def records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line of its beginning, columns) of each record; within quotes a record may go on over several lines."""
    last = 0

    def decoded() -> Iterator[str]:
        nonlocal last
        for number, line in lines.iter_whole_lines(path):
            last = number
            yield lines.decode(line, path, number)

    first = 1
    try:
        for record in csv.reader(decoded(), delimiter=delimiter, strict=True):
            if len(record) > 1 or "".join(record).strip():  # no blank line
                yield first, record
            first = last + 1
    except csv.Error as error:
        raise InputError(
            f"the quoting of this record is broken ({error}).",
            hint='put a column that holds a double quote in double quotes, and write each quote in it as "".',
            path=path,
            line=first,
        ) from None
