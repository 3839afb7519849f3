"""Plain text as blocks, with headings that are underlined as in reStructuredText."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from charset_normalizer import from_bytes

from .blocks import Block, Document, Headings, Unreadable, one_line

_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}")
_KEEPS_LINES = re.compile(r"\s|[-=+]{3}|[-*•–+] |\(?\w{1,3}[.)] |[|>]")
"""How a line begins that is not the rest of the line before it: indented, or an item of a list or a table."""
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

_BROKEN, _FEW = "\ufffd", 0.1
"""Of the characters beyond ASCII so few may be broken in a text of UTF-8. In another encoding nearly all are."""


def decoded(data: bytes) -> str:
    """The text of a file, whatever its encoding.

    Raises:
        Unreadable: it is no text.
    """
    text = unicode(data)
    if text is None:
        best = from_bytes(data).best()
        if best is None:
            raise Unreadable("it is no text, or in an unknown encoding")
        text = str(best)
    if "\0" in text:
        raise Unreadable("it is no text")
    return text


def unicode(data: bytes) -> str | None:
    """The text of a file in UTF-8, or in UTF-16 with its mark, with few broken characters; None if it is in neither."""
    encoding = next((name for bom, name in _BOMS.items() if data.startswith(bom)), "utf-8")
    text = data.decode(encoding, "replace")
    broken = text.count(_BROKEN)
    return text if not broken or broken <= _FEW * sum(not each.isascii() for each in text) else None


def read_text(data: bytes) -> Document:
    """A text file."""
    return Document("", list(blocks_of_text(decoded(data))))


def blocks_of_text(text: str) -> Iterator[Block]:
    """Paragraphs between blank lines. The lines of a paragraph are joined unless they are items or indented."""
    headings, styles = Headings(), list[str]()
    for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")):
        lines = [line.rstrip() for line in paragraph.split("\n") if line.strip()]
        while heading := _heading(lines):
            title, style, length = heading
            if style not in styles:
                styles.append(style)
            headings.begin(1 + styles.index(style), title)
            lines = lines[length:]
        if not lines:
            continue
        kept = any(_KEEPS_LINES.match(line) for line in lines[1:])
        yield Block("\n".join(lines) if kept else one_line(" ".join(lines)), headings.path)


def _heading(lines: list[str]) -> tuple[str, str, int] | None:
    """A heading at the beginning of a paragraph: its text, its style, and how many lines it takes."""
    over = 1 if len(lines) > 2 and _is_rule(lines[0], lines[1]) and lines[0] == lines[2] else 0
    rest = lines[over : over + 2]
    if len(rest) < 2 or not _is_rule(rest[1], rest[0]):
        return None
    return rest[0].strip(), rest[1][0] * (1 + over), 2 + over


def _is_rule(line: str, title: str) -> bool:
    """Whether a line underlines a title: one character that repeats, about as long as the title."""
    return (
        _UNDERLINE.fullmatch(line) is not None
        and any(map(str.isalnum, title))
        and len(line) >= len(title.strip()) - 1 > 0
    )
