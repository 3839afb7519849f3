"""A row of a file and its typed values. A value that is missing or malformed raises InputError with file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ...common.errors import InputError, ItemNumber

_WHOLE = re.compile(r"-?[0-9]+(\.0*)?")

LINE = ""
"""The name under which a row's id is the number of its line."""

_INT32 = range(-(2**31), 2**31)


class Row:
    """The values of one row by name, and where the row stands.

    Args:
        path: the file.
        line: the row's line or item; where several files are one source, its number in all of them.
        values: by name.
        in_file: the line or item in the file, if that is another.
    """

    __slots__ = ("in_file", "line", "path", "values")

    def __init__(self, path: Path, line: int, values: Mapping[str, Any], in_file: int | None = None) -> None:
        self.path, self.line, self.values = path, line, values
        self.in_file = line if in_file is None else in_file

    def error(self, problem: str, hint: str) -> InputError:
        """An error about this row."""
        return InputError(problem, hint=hint, path=self.path, line=self.in_file)

    def identifier(self, name: str) -> str:
        """An id: a string without white space, or an integer, which becomes a string.

        TREC's files, into which every ranking is written, separate their columns by white space.
        """
        return self._identifier(self.values.get(name), name) if name != LINE else str(int(self.line))

    def identifiers(self, name: str) -> list[str]:
        """A list of ids; the list may be empty."""
        return [self._identifier(item, name) for item in self._list(name)]

    def text(self, name: str) -> str:
        """A text that is not empty."""
        return self._text(self.values.get(name), name, "give the row its text, or remove the row.")

    def strings(self, name: str) -> list[str]:
        """A list of texts. The list may be null or empty, a text may not."""
        found = [] if name in self.values and self.values[name] is None else self._list(name)
        return [self._text_of(item, name, "remove the empty string.") for item in found]

    def answers(self, name: str) -> list[str]:
        """A published list of answers, without the blank ones; the list may be empty."""
        found = self._list(name)
        return [self._text_of(item, name, "") for item in found if not (type(item) is str and is_blank(item))]

    def passage(self, docid: str, title: str = "title", text: str = "text") -> tuple[str, str | None, str]:
        """(docid, title, text) under these names."""
        return self.identifier(docid), *self.title_and_text(title, text)

    def title_and_text(self, title: str = "title", text: str = "text") -> tuple[str | None, str]:
        """A passage's title and text under these names. A title that is absent, null or blank is None.

        A text that is null or blank is empty. TREC-COVID has titles without an abstract, and FiQA has passages with
        neither title nor text.
        """
        heading, body = self.values.get(title), self.values.get(text)
        if heading is not None and type(heading) is not str:
            raise self._wrong(heading, title, "a string or null")
        if type(body) is not str and (body is not None or text not in self.values):
            raise self._wrong(body, text, "a string")
        return (
            None if heading is None or is_blank(heading) else heading,
            "" if body is None or is_blank(body) else body,
        )

    def grade(self, name: str) -> int:
        """A relevance grade: an integer of 32 bits, as a number or in plain decimal digits, or 1.0 as MTEB has it."""
        value = self.values.get(name)
        if type(value) is str and is_grade(value):
            value = int(value.partition(".")[0])
        elif type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or value not in _INT32:
            raise self._wrong(value, name, "an integer of 32 bits" if type(value) is int else "an integer")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.values.get(name)
        if type(value) is not bool:
            raise self._wrong(value, name, "true or false")
        return value

    def objects(self, name: str) -> list[Row]:
        """A list of objects as rows; the list may be empty."""
        items = self.values.get(name)
        if type(items) is not list or not all(isinstance(item, Mapping) for item in items):
            raise self.error(
                f"`{name}` is missing or no list of objects.", "give it as a list of passages, empty if there is none."
            )
        return [Row(self.path, self.line, item, self.in_file) for item in items]

    def _identifier(self, value: object, name: str) -> str:
        if type(value) is int:
            return str(value)
        text = self._text(value, name, "give every row an id.")
        if not is_id(text):
            raise self.error(
                f"`{name}` {text[:80]!r} has white space in it, which an id in TREC's files cannot have.",
                "put another character in its place, here and in every file that names this id.",
            )
        return text

    def _text(self, value: object, name: str, hint: str) -> str:
        if type(value) is not str:
            raise self._wrong(value, name, "a string")
        if is_blank(value):
            raise self.error(f"`{name}` is empty.", hint)
        return value

    def _text_of(self, item: object, name: str, hint: str) -> str:
        if type(item) is not str:
            what = f"`{name}` has {type(item).__name__} {str(item)[:40]!r} in it, not a string."
            raise self.error(what, f"give `{name}` as a list of strings.")
        return self._text(item, name, hint)

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if type(value) is not list:
            raise self._wrong(value, name, "a list")
        return value

    def _wrong(self, value: object, name: str, due: str) -> InputError:
        if name not in self.values:
            return self.error(
                f"`{name}` is missing; the row has {', '.join(self.values) or 'nothing'}.",
                f"give every row `{name}`; the formats jsonl, json, csv and parquet take another name for it in the "
                "source's `columns`, such as {docid: id, text: body}.",
            )
        found = "missing or null" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
        return self.error(f"`{name}` is {found}, not {due}.", f"give `{name}` as {due}.")


def rows(path: Path, numbered: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[Row]:
    """Rows of a file from their lines or items and their values."""
    return (Row(path, line, values) for line, values in numbered)


def through(files: Sequence[Path], read: Callable[[Path], Iterator[Row]]) -> Iterator[Row]:
    """The rows of several files, numbered through all of them; those of one file keep their numbers."""
    rows = chain.from_iterable(map(read, files))
    if len(files) == 1:
        return rows
    return (Row(row.path, ItemNumber(number), row.values, row.line) for number, row in enumerate(rows, 1))


def is_grade(value: str) -> bool:
    """Whether a string is a whole number in plain decimal digits, such as 1, -1 or 1.0."""
    return _WHOLE.fullmatch(value) is not None


def is_id(value: str) -> bool:
    """Whether a string can be an id: it is not empty and has no white space in it."""
    return value.split() == [value]


def is_blank(value: str) -> bool:
    """Whether a string is empty or nothing but white space."""
    return not value or value.isspace()
