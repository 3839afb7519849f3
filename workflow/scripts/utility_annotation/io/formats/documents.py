"""Streaming items out of one large JSON document, a file or a zip's member, compressed or not, with their numbers.

Memory holds one item at a time, whatever the document's size. An item of a list has at most ``lines.LONGEST`` bytes.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import ijson

from ...common.errors import InputError, ItemNumber
from . import fields, lines

_BLANK = b" \t\r\n"


def iter_objects(path: Path) -> Iterator[tuple[ItemNumber, dict[str, Any]]]:
    """The objects of a document that is a list of objects, ``[{…}, …]``; numbers count from 1.

    Raises:
        InputError: no such file, damaged compressed data, no JSON, or a document or an item of another kind.
    """
    for number, value in _iter(path, b"[", "a list", lambda stream: ijson.items(stream, "item", use_float=True)):
        if type(value) is not dict:
            raise InputError(
                f"this is a {type(value).__name__} and not an object.",
                hint="give a list of JSON objects, [{…}, …].",
                path=path,
                line=number,
            )
        yield number, value


def rows(path: Path) -> Iterator[fields.Row]:
    """The same objects as rows."""
    return fields.rows(path, iter_objects(path))


def iter_column(path: Path, name: str) -> Iterator[tuple[ItemNumber, str, Any]]:
    """(number, key, value) of a column of a document that is an object of columns, ``{"name": {"0": …}, …}``.

    Other columns are passed over without being built. Numbers count from 1 in the column's own order.

    Raises:
        InputError: no such file, damaged compressed data, no JSON, or a document of another kind.
    """
    for number, (key, value) in _iter(
        path, b"{", "an object", lambda stream: ijson.kvitems(stream, name, use_float=True)
    ):
        yield number, key, value


def _iter(
    path: Path, opening: bytes, kind: str, parse: Callable[[Any], Iterator[Any]]
) -> Iterator[tuple[ItemNumber, Any]]:
    number = 0
    with lines.open_bytes(path) as stream:
        try:
            found = _first_byte(stream)
            if found and found != opening:
                raise InputError(
                    f"this JSON document is not {kind} (it begins with {found.decode('latin-1')!r}).",
                    hint="check that this is the right file, and its `format`.",
                    path=path,
                )
            bounded = _Bounded(stream)
            for number, value in enumerate(parse(bounded if opening == b"[" else stream), 1):
                yield ItemNumber(number), value
                bounded.read_of_item = 0
        except _TooLong:
            raise lines.too_long(path, ItemNumber(number + 1)) from None
        except lines.DAMAGED as error:
            raise lines.damaged(error, path, ItemNumber(number + 1)) from None
        except ijson.JSONError as error:
            wrong = (
                "write null in place of NaN" if "NaN" in str(error) else "fetch or copy the file again, or correct it"
            )
            raise InputError(
                f"this is not JSON from here on ({_reason(error)}).",
                hint=f"{wrong}.",
                path=path,
                line=ItemNumber(number + 1),
            ) from None


class _TooLong(Exception):
    """An item is longer than memory should hold."""


class _Bounded:
    """A stream whose reader holds everything since the last item."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.read_of_item = stream, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.read_of_item += len(data)
        if self.read_of_item > lines.LONGEST:
            raise _TooLong
        return data


def _first_byte(stream: IO[bytes]) -> bytes:
    """The first byte that is not blank, empty where there is none in sight; only a byte order mark is consumed."""
    ahead = stream.peek(8)  # type: ignore[attr-defined]  # open_bytes gives buffered streams
    if ahead.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
        ahead = ahead.removeprefix(codecs.BOM_UTF8)
    return bytes(ahead.lstrip(_BLANK)[:1])


def _reason(error: Exception) -> str:
    """The first line of the parser's message, which may come as bytes."""
    message = error.args[0] if error.args else ""
    if isinstance(message, bytes):
        message = message.decode("utf-8", "replace")
    return next(iter(str(message).splitlines()), "").strip().rstrip(".") or type(error).__name__
