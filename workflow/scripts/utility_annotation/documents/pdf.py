"""PDF as blocks: lines become paragraphs again, running heads go, headings come from the outline."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pypdfium2
from pypdfium2 import PdfDocument, PdfiumError

from .blocks import Block, Document, Headings, Unreadable, one_line

_EDGE_LINES = 2
"""Lines at the top and the bottom of a page that may be running heads."""
_RUNNING_PAGES = 3
"""A line that stands at the edge of so many pages is a running head; its numbers may differ."""
_LEADERS = re.compile(r"(?:\. ?){4}\s*(?:\d+|[ivxlc]+)$|(?:\. ?){8}$", re.I)
"""How a line of a table of contents ends. Four dots alone may end a sentence."""
_NEAR = 2
"""A running head stands again on a page so near. A line that stands at some edges by chance does not."""
_TITLE_LINES = 3
"""Most lines of a heading."""
_FULL = 0.8
"""A line shorter than this share of a full line ends its paragraph."""
_HYPHENS = ("\ufffe", "\u00ad", "\x02")
"""What PDFium gives for a hyphen that only the end of the line needs."""
_NUMBERS = re.compile(r"\d+|\b[ivxlc]+\b", re.I)
_ITEM = re.compile(r"[•◦▪‣–*-] |\(?\w{1,3}[.)] ")
_NUMBERING = re.compile(r"^(?:chapter|appendix|section|part)?\s*(?:[A-Z]|[\dIVXLC]+)(?:\.\d+)*[.:)]?\s+", re.I)


class _Line(NamedTuple):
    text: str
    page: int


def read_pdf(data: bytes) -> Document:
    """A PDF file.

    Raises:
        Unreadable: it is encrypted or broken, or has no text, as scanned pages have none.
    """
    try:
        with PdfDocument(data) as pdf:
            pages = [_lines_of_page(pdf, number) for number in range(len(pdf))]
            outline = list(_outline(pdf))
            title = _text(lambda: pdf.get_metadata_value("Title"))
    except PdfiumError as error:
        encrypted = error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD
        raise Unreadable("it is encrypted" if encrypted else f"it is no PDF, or broken ({error})") from None
    empty = sum(not lines for lines in pages)
    if empty == len(pages):
        raise Unreadable("its pages have no text; scanned pages need text recognition (OCR) first")
    lines = [_Line(text, number) for number, page in enumerate(_without_running_heads(pages), 1) for text in page]
    note = f"{empty} of {len(pages)} pages have no text" if empty else ""
    return Document(title, list(_paragraphs(lines, _by_page(outline))), note=note)


def _lines_of_page(pdf: PdfDocument, number: int) -> list[str]:
    try:
        page = pdf[number]
    except PdfiumError:  # a broken page costs its own text alone
        return []
    try:
        text = page.get_textpage().get_text_range()
    finally:
        page.close()
    for hyphen in _HYPHENS:
        text = text.replace(f"{hyphen}\r\n", "").replace(f"{hyphen}\n", "").replace(hyphen, "")
    return [line for line in map(one_line, text.splitlines()) if line and not _LEADERS.search(line)]


def _outline(pdf: PdfDocument) -> Iterator[tuple[int, int, str]]:
    """(page, level, title) of each entry; pages and levels count from 1."""
    for entry in pdf.get_toc():
        place = entry.get_dest()
        index = place.get_index() if place else None
        if index is not None and (title := _text(entry.get_title)):
            yield index + 1, entry.level + 1, title


def _text(read: Callable[[], str]) -> str:
    """A text of a PDF; nothing where its characters are broken."""
    try:
        return one_line(read())
    except UnicodeDecodeError:
        return ""


def _by_page(outline: Sequence[tuple[int, int, str]]) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = {}
    for page, level, title in outline:
        found.setdefault(page, []).append((level, title))
    return found


def _without_running_heads(pages: Sequence[list[str]]) -> Iterator[list[str]]:
    """The lines of each page without what stands at the edge of several pages, or has the page's number there."""
    standing: dict[str, list[int]] = {}
    for page, lines in enumerate(pages):
        for key in {_key(lines[place]) for place in _edges(lines)}:
            standing.setdefault(key, []).append(page)
    ahead = Counter(
        number - page
        for page, lines in enumerate(pages)
        for number in {number for place in _edges(lines) for number in _outer_numbers(lines[place])}
    )
    offset, times = ahead.most_common(1)[0] if ahead else (0, 0)
    for page, lines in enumerate(pages):
        numbered = {page + offset} if times >= _RUNNING_PAGES else set()
        running = {
            place
            for place in _edges(lines)
            if _runs(standing[_key(lines[place])], page) or numbered & _outer_numbers(lines[place])
        }
        yield [line for place, line in enumerate(lines) if place not in running]


def _runs(pages: list[int], page: int) -> bool:
    """Whether a line that stands at the edge of these pages is a running head of one of them."""
    at = bisect_left(pages, page)
    near = pages[max(0, at - 1) : at] + pages[at + 1 : at + 2]
    return len(pages) >= _RUNNING_PAGES and any(abs(other - page) <= _NEAR for other in near)


def _edges(lines: Sequence[str]) -> set[int]:
    last = len(lines) - 1
    return {place for near in range(_EDGE_LINES) for place in (near, last - near) if 0 <= place <= last}


def _key(line: str) -> str:
    """A line whatever its numbers; itself where it has hardly anything else."""
    key = one_line(_NUMBERS.sub("#", line))
    return key if sum(map(str.isalpha, key)) >= 3 else line


def _outer_numbers(line: str) -> set[int]:
    """The numbers with which a line begins or ends."""
    words = line.split()
    return {int(word) for word in (words[0], words[-1]) if word.isdecimal() and len(word) <= 4} if words else set()


def _paragraphs(lines: Sequence[_Line], outline: dict[int, list[tuple[int, str]]]) -> Iterator[Block]:
    lengths = sorted(len(line.text) for line in lines)
    full = lengths[math.floor(0.9 * len(lengths))] if lengths else 0
    headings, begun = Headings(), list[_Line]()

    def taken() -> Iterator[Block]:
        if begun:
            yield Block(_joined([line.text for line in begun]), headings.path, begun[0].page)
            begun.clear()

    page = of_heading = 0
    due: dict[int, list[tuple[int, str]]] = {}
    for place, line in enumerate(lines):
        if line.page != page:
            skipped = [entry for number in range(page + 1, line.page) for entry in outline.get(number, ())]
            page = line.page
            end = bisect_right(lines, page, lo=place, key=lambda each: each.page)
            own = [each.text for each in lines[place:end]]
            due = {place + near: entries for near, entries in _places(own, outline.get(page, ())).items()}
            if skipped:
                due[place] = [*skipped, *due.get(place, ())]
        if entries := due.get(place):
            yield from taken()
            for level, title in entries:
                headings.begin(level, title)
            of_heading = _heading_lines([each.text for each in lines[place : place + _TITLE_LINES]], entries[-1][1])
        if of_heading:
            of_heading -= 1
            continue
        if begun and (len(begun[-1].text) < _FULL * full or _ITEM.match(line.text)):
            yield from taken()
        begun.append(line)
    yield from taken()


def _places(lines: Sequence[str], entries: Sequence[tuple[int, str]]) -> dict[int, list[tuple[int, str]]]:
    """Where the entries of a page begin: at the line with their title, or, without one, where the entry before does."""
    places: dict[int, list[tuple[int, str]]] = {}
    last = 0
    for level, title in entries:
        found = (at for at in range(last, len(lines)) if _heading_lines(lines[at : at + _TITLE_LINES], title))
        last = next(found, last)
        places.setdefault(last, []).append((level, title))
    return places


def _heading_lines(lines: Sequence[str], title: str) -> int:
    """How many of the lines are a heading with this title; 0 if the first one begins none."""
    wanted = _plain(title)
    for number in range(1, min(_TITLE_LINES, len(lines)) + 1):
        found = _plain(" ".join(lines[:number]))
        if found & wanted:
            return number
        if not any(whole.startswith(begun) for whole in wanted for begun in found):
            return 0
    return 0


def _plain(text: str) -> set[str]:
    """The letters of a heading, and those without its number. What looks like a number may be a word: A, I."""
    texts = (text.casefold(), _NUMBERING.sub("", text, count=1).casefold())
    return {letters for text in texts if (letters := "".join(filter(str.isalnum, text)))}


def _joined(lines: Sequence[str]) -> str:
    """Lines of a paragraph; a word that is divided at the end of a line becomes whole."""
    whole = lines[0]
    for line in lines[1:]:
        divided = re.search(r"[a-zà-ÿ]-$", whole) and line[:1].islower()
        whole = whole[:-1] + line if divided else f"{whole} {line}"
    return whole
