"""TREC's topics: SGML or XML (``<top>``, ``<topic number="1">``), or the plain kind, ``1:text`` on each line.

TREC's SGML has no grammar: closing tags may be missing, and several tags may share a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path
from xml.sax.saxutils import unescape

from ...common.errors import InputError
from . import lines
from .fields import Row
from .rows import Query

_BEGIN = re.compile(r"<top(?:ic)?\b([^>]*)>", re.IGNORECASE)
_END = re.compile(r"</top(?:ic)?\s*>", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z]\w*)[^>]*>")
_NUMBER = re.compile(r"\b(?:number|id)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_LABELS = {"num": "Number:", "title": "Topic:", "desc": "Description:"}
"""What may stand before a field's text."""
_TEXTS = ("title", "query", "question", "desc", "description")
"""The fields that can be the question; the first that a topic has is."""


def read_queries(path: Path) -> Iterator[Query]:
    """The topics: number and title, or the description of a topic that has no title."""
    decoded = ((number, lines.decode(line, path, number)) for number, line in lines.iter_lines(path))
    for number, line in decoded:
        rest = chain([(number, line)], decoded)
        yield from _marked(path, rest) if line.lstrip().startswith("<") else _plain(path, rest)


def _marked(path: Path, numbered: Iterable[tuple[int, str]]) -> Iterator[Query]:
    """Topics between ``<top>`` and ``</top>``."""
    begin, attributes, inside = 0, "", ""
    for number, line in numbered:
        if (opening := _BEGIN.search(line)) is not None:
            if begin:
                raise _unclosed(path, begin)
            begin, attributes, inside, line = number, opening[1], "", line[opening.end() :]
        if begin:
            inside += f"{line}\n"
            if (closing := _END.search(inside)) is not None:
                yield _topic(Row(path, begin, _fields(attributes, inside[: closing.start()])))
                begin = 0
    if begin:
        raise _unclosed(path, begin)


def _fields(attributes: str, inside: str) -> dict[str, str]:
    """The text after each tag up to the next one, by the tag's name; of a repeated tag, the first."""
    number = _NUMBER.search(attributes)
    fields = {"num": number[1]} if number else {}
    tags = list(_TAG.finditer(inside))
    for tag, following in zip_longest(tags, tags[1:]):
        if not tag[1]:
            name = tag[2].lower()
            text = inside[tag.end() : following.start() if following else None].strip()
            text = text.removeprefix(_LABELS.get(name, ""))
            fields.setdefault(name, unescape(" ".join(text.split()), {"&quot;": '"', "&apos;": "'"}))
    return fields


def _topic(row: Row) -> Query:
    text = next((name for name in _TEXTS if row.values.get(name)), _TEXTS[0])
    return Query(row.line, row.identifier("num"), row.text(text))


def _plain(path: Path, numbered: Iterable[tuple[int, str]]) -> Iterator[Query]:
    """Lines of a number, a colon or a tab, and the question."""
    for number, line in numbered:
        found = re.fullmatch(r"\s*([\w.-]+)\s*[:\t](.*)", line)
        if found is None:
            raise InputError(
                "this is neither a topic in SGML, <top>, nor a number, a colon and a question.",
                hint="give the line this form, or correct `format`.",
                path=path,
                line=number,
            )
        row = Row(path, number, {"num": found[1], "title": found[2].strip()})
        yield _topic(row)


def _unclosed(path: Path, line: int) -> InputError:
    return InputError("the topic that begins here has no </top>.", hint="close it.", path=path, line=line)
