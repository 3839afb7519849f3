"""Checks of single values: each returns the value in its schema's type, or raises InputError with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...common.errors import InputError

_INT32 = range(-(2**31), 2**31)


def identifier(value: object, name: str, path: Path, line: int) -> str:
    """An id: a string that is not empty, or an integer, which becomes a string."""
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        raise _wrong(value, name, "a string", path, line)
    if is_blank(value):
        raise InputError(f"`{name}` is empty.", hint="give every row an id.", path=path, line=line)
    return value


def text(value: object, name: str, path: Path, line: int) -> str:
    """A text that is not empty."""
    if type(value) is not str:
        raise _wrong(value, name, "a string", path, line)
    if is_blank(value):
        raise InputError(f"`{name}` is empty.", hint="give the row its text, or remove the row.", path=path, line=line)
    return value


def title(value: object, path: Path, line: int, name: str = "title") -> str | None:
    """A title; one that is absent, null or empty is None, any other string stays as it is."""
    if value is None:
        return None
    if type(value) is not str:
        raise _wrong(value, name, "a string or null", path, line)
    return None if is_blank(value) else value


def passage(
    row: object, docid: str, path: Path, line: int, title_name: str = "title", text_name: str = "text"
) -> tuple[str, str | None, str]:
    """(docid, title, text) of a JSON passage, which stand under the keys that are given.

    An empty text is accepted where there is a title to read: TREC-COVID and others hold titles without an abstract.
    """
    if not isinstance(row, Mapping):
        raise _wrong(row, "passage", "an object", path, line)
    found_title = title(row.get(title_name), path, line, title_name)
    found_text = row.get(text_name)
    if not (found_title is not None and found_text == ""):
        found_text = text(found_text, text_name, path, line)
    return identifier(row.get(docid), docid, path, line), found_title, found_text


def grade(value: str | int | object, path: Path, line: int, name: str = "grade") -> int:
    """A relevance grade: an integer of 32 bits, as a number or in plain decimal digits."""
    if type(value) is str and value.isascii() and value.removeprefix("-").isdigit():
        value = int(value)
    if type(value) is not int or value not in _INT32:
        raise _wrong(value, name, "an integer", path, line)
    return value


def strings(value: object, name: str, path: Path, line: int) -> list[str]:
    """A list of texts, none of them empty; the list may be."""
    return [text(item, name, path, line) for item in _list(value, name, path, line)]


def answers(value: object, name: str, path: Path, line: int) -> list[str]:
    """A published list of answers; it may be empty, and a blank answer in it is none."""
    return [
        text(item, name, path, line)
        for item in _list(value, name, path, line)
        if not (type(item) is str and is_blank(item))
    ]


def identifiers(value: object, name: str, path: Path, line: int) -> list[str]:
    """A list of ids; the list may be empty."""
    return [identifier(item, name, path, line) for item in _list(value, name, path, line)]


def is_blank(value: str) -> bool:
    """Whether a string is empty or nothing but white space."""
    return not value or value.isspace()


def _list(value: Any, name: str, path: Path, line: int) -> list[Any]:
    if type(value) is not list:
        raise _wrong(value, name, "a list", path, line)
    return value


def _wrong(value: object, name: str, due: str, path: Path, line: int) -> InputError:
    found = "missing or null" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
    return InputError(f"`{name}` is {found}, not {due}.", hint=f"give `{name}` as {due}.", path=path, line=line)
