"""TREC's topics: SGML or XML (``<top>``, ``<topic number="1">``), or the plain kind, ``1:text`` on each line.

TREC's SGML has no grammar: closing tags may be missing, and several tags may share a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from xml.sax.saxutils import unescape

from ...common.errors import InputError
from . import lines
from .fields import Row
from .rows import Query

_MARK = re.compile(r"<(/?)top(?:ic)?\b([^>]*)>", re.IGNORECASE)
_TAG = re.compile(r"<([a-zA-Z]\w*)[^>]*>")
_NUMBER = re.compile(r"\b(?:number|id)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_LABELS = {"num": "Number:", "title": "Topic:", "desc": "Description:"}
"""What may stand before a field's text."""
_TEXTS = ("title", "query", "question", "desc", "description")
"""The fields that can be the question; the first that a topic has is."""


def read_queries(path: Path) -> Iterator[Query]:
    """The topics: number and title, or the description of a topic without one. The whole file is held in memory."""
    size = 0
    decoded: list[str] = []
    for number, line in lines.iter_whole_lines(path):
        size += len(line)
        if size > lines.LONGEST:
            raise lines.too_long(path, number)
        decoded.append(lines.decode(line, path, number))
    text = "".join(decoded)
    return _marked(path, text) if text.lstrip().startswith("<") else _plain(path, text)


def _marked(path: Path, text: str) -> Iterator[Query]:
    """Topics between ``<top>`` and ``</top>``."""
    opening: re.Match[str] | None = None
    for mark in chain(_MARK.finditer(text), [None]):
        line = 1 + text.count("\n", 0, opening.start()) if opening is not None else 0
        if opening is not None and (mark is None or not mark[1]):
            raise InputError("the topic that begins here has no </top>.", hint="close it.", path=path, line=line)
        if opening is not None and mark is not None:
            yield _topic(Row(path, line, _fields(opening[2], text[opening.end() : mark.start()])))
        opening = mark if mark is not None and not mark[1] else None


def _fields(attributes: str, inside: str) -> dict[str, str]:
    """The text of each tag, up to its closing tag or else to the next tag, by the tag's name; of several, the first."""
    number = _NUMBER.search(attributes)
    fields = {"num": number[1]} if number else {}
    for tag in _TAG.finditer(inside):
        rest = inside[tag.end() :]
        closing, following = rest.find(f"</{tag[1]}"), _TAG.search(rest)
        end = closing if closing >= 0 else following.start() if following else None
        name = tag[1].lower()
        text = rest[:end].strip().removeprefix(_LABELS.get(name, ""))
        fields.setdefault(name, unescape(" ".join(text.split()), {"&quot;": '"', "&apos;": "'"}))
    return fields


def _topic(row: Row) -> Query:
    text = next((name for name in _TEXTS if row.values.get(name)), _TEXTS[0])
    return Query(row.line, row.identifier("num"), row.text(text))


def _plain(path: Path, text: str) -> Iterator[Query]:
    """Lines of a number, a colon or a tab, and the question."""
    for number, line in enumerate(text.split("\n"), 1):
        found = re.fullmatch(r"\s*([\w.-]+)\s*[:\t](.*)", line.rstrip("\r"))
        if found is not None:
            yield _topic(Row(path, number, {"num": found[1], "title": found[2].strip()}))
        elif line.strip():
            raise InputError(
                "this is neither a topic in SGML, <top>, nor a number, a colon and a question.",
                hint="give the line this form, or correct `format`.",
                path=path,
                line=number,
            )
