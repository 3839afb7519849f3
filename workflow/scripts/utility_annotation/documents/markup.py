"""HTML, and what is easily made HTML (Markdown), as blocks."""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from copy import deepcopy

import trafilatura
import yaml
from lxml import etree
from lxml.html import HtmlElement
from markdown_it import MarkdownIt

from .blocks import Block, Document, Headings, one_line
from .plain import decoded, unicode

_HEADING = re.compile(r"h([1-6])")
_PARTS = (
    frozenset(("p", "div", "section", "article", "main", "body", "address", "details", "summary", "blockquote"))
    | frozenset(("header", "footer", "aside", "figure", "figcaption", "hr", "center", "fieldset", "legend", "pre"))
    | frozenset(("quote", "dl", "dt", "dd", "ul", "ol", "list", "li", "item"))
    | frozenset(("table", "thead", "tbody", "tfoot", "tr", "row", "caption"))
)
"""Elements that begin and end a block, of HTML and of trafilatura's own tree."""
_CELLS = frozenset(("td", "th", "cell"))
_ITEMS = frozenset(("li", "item"))
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6", "head")
_SHORT = 300
"""Characters of a cell or a heading whose parts are one text. What is longer is a layout, or lacks its end."""
_SKIPPED = frozenset(("script", "style", "noscript", "template", "svg", "nav", "button", "select", "iframe", "title"))
_LINKS_TO_SELF = frozenset(("¶", "#", "§", "🔗", ""))
"""What links to a heading itself show; documentation has one beside each heading."""
_ASIDES = etree.XPath(".//nav | .//footer | .//*[@role='navigation' or @role='search' or @class='toc' or @id='toc']")
"""What is no content wherever it stands in a page."""
_MAIN = etree.XPath("(.//main | .//*[@role='main'])[not(ancestor::main or ancestor::*[@role='main'])]")
_NEARLY_ALL = 0.7
"""Where trafilatura finds this share of a page's letters, the page is nearly all content and is taken whole."""
_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?\n)(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_NESTING = 200
"""Levels of lists and quotations in Markdown. What lies deeper than its parser's own limit of 20 is lost."""
_XML_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]*>")

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # its result says what it cannot read
logging.getLogger("htmldate").setLevel(logging.CRITICAL)


def read_html(data: bytes) -> Document:
    """A web page: its main content, without navigation, as trafilatura finds it.

    A page that is nearly all content, as documentation is, is taken whole: trafilatura leaves out sections with an id
    such as ``shared-libraries``, and the headings of DocBook. So is a page in which it finds nothing.

    Raises:
        Unreadable: it is no text.
    """
    tree = trafilatura.load_html(unicode(data) or data)
    if tree is None:  # a piece of a page
        return Document("", blocks_of_html(decoded(data)))
    title = one_line(tree.findtext(".//title") or "")
    _drop_links_to_self(tree)
    mains = _MAIN(tree)
    whole = _without_asides(deepcopy(mains[0] if len(mains) == 1 else _body(tree)))
    found = _main_content(tree)
    return Document(title, found if 0 < _letters(found) < _NEARLY_ALL * _letters(whole) else whole)


def _main_content(tree: HtmlElement) -> list[Block]:
    """The blocks of what trafilatura finds. It leaves out sections of some names, and some headings."""
    for listing in tree.iter("pre"):  # trafilatura makes a quotation of one without code in it
        if listing.find(".//code") is None:
            listing.tag = "code"
    found = trafilatura.bare_extraction(
        tree, include_comments=False, include_tables=True, favor_recall=True, with_metadata=False
    )
    body = getattr(found, "body", None)
    if body is None:
        return []
    for code in body.iter("code"):
        if code.getparent().tag != "p" and "\n" in "".join(code.itertext()):
            code.tag = "pre"
    return list(blocks_of(body))


def _without_asides(tree: HtmlElement) -> list[Block]:
    for aside in _ASIDES(tree):
        aside.drop_tree()
    return list(blocks_of(tree))


def _letters(blocks: Iterable[Block]) -> int:
    return sum(sum(map(str.isalnum, block.text)) for block in blocks)


def read_markdown(data: bytes) -> Document:
    """Markdown (CommonMark with tables), also with YAML or TOML before it, of which only the title is kept."""
    text = decoded(data).replace("\r\n", "\n")
    title = ""
    if found := _FRONT_MATTER.match(text):
        with suppress(yaml.YAMLError, ValueError):  # else it is text between two rules
            before = tomllib.loads(found[2]) if found[1] == "+++" else yaml.safe_load(found[2])
            if isinstance(before, dict):
                title, text = one_line(str(before.get("title") or "")), text[found.end() :]
    html = MarkdownIt("commonmark", {"html": True, "maxNesting": _NESTING}).enable("table").render(text)
    return Document(title, blocks_of_html(html))


def blocks_of_html(html: str | bytes) -> list[Block]:
    """The blocks of HTML that has no navigation around its content."""
    if isinstance(html, str):
        html = _XML_DECLARATION.sub("", html)  # lxml refuses text that says how it is encoded
    if not html.strip():
        return []
    parser = etree.HTMLParser(no_network=True, remove_comments=True, remove_pis=True)
    tree = etree.fromstring(html, parser)
    return [] if tree is None else list(blocks_of(_body(tree)))


def blocks_of(root: etree._Element) -> Iterator[Block]:
    """The blocks of a tree of HTML, or of trafilatura's own elements.

    Items of lists that are links alone, as in a table of contents, are left out.
    """
    etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
    _join_parts(root)
    headings, parts = Headings(), _Parts()
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        level = _level(element)
        separate = level or element.tag in _PARTS
        if event == "start":
            if separate and (text := parts.taken()):
                yield Block(text, headings.path)
            parts.begin(element)
            if element.tag in _SKIPPED:
                walk.skip_subtree()
        else:
            if level and parts.length <= _SHORT:
                if text := one_line(parts.taken()):
                    headings.begin(level, text)
            elif separate and (text := parts.taken()):
                yield Block(text, headings.path)
            parts.end(element)
    if text := parts.taken():
        yield Block(text, headings.path)


class _Parts:
    """The text of the block that is being read."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._unlinked = self._cells = False
        self._open = {"listing": 0, "item": 0, "link": 0}

    def begin(self, element: etree._Element) -> None:
        """An element, with the text at its beginning."""
        self._count(element, 1)
        if element.tag not in _SKIPPED:
            self._add(element.text)

    def end(self, element: etree._Element) -> None:
        """The end of an element, and what follows it."""
        self._count(element, -1)
        if element.tag in ("br", "lb"):
            self._parts.append("\n")
        elif element.tag in _CELLS:
            self._parts.append(" | ")
            self._cells = True
        self._add(element.tail)

    @property
    def length(self) -> int:
        """Characters of the text."""
        return sum(map(len, self._parts))

    def taken(self) -> str:
        """The text, which is then begun again."""
        whole, links_alone = "".join(self._parts), bool(self._open["item"]) and not self._unlinked
        cells, self._parts, self._unlinked, self._cells = self._cells, [], False, False
        if links_alone:
            return ""
        if self._open["listing"]:
            return "\n".join(line.rstrip() for line in whole.splitlines()).strip("\n")
        return one_line(whole).strip("| " if cells else None)

    def _add(self, text: str | None) -> None:
        if text:
            self._parts.append(text)
            self._unlinked |= not self._open["link"] and any(map(str.isalnum, text))

    def _count(self, element: etree._Element, number: int) -> None:
        self._open["listing"] += number * (element.tag == "pre")
        self._open["item"] += number * (element.tag in _ITEMS)
        self._open["link"] += number * (element.tag == "a")


def _join_parts(root: etree._Element) -> None:
    """Make one text of the paragraphs of a short cell or heading."""
    for whole in root.iter(*_CELLS, *_HEADINGS):
        parts = [part for part in whole.iterdescendants() if part.tag in _PARTS]
        if all(part.tag in ("p", "div") for part in parts) and sum(map(len, whole.itertext())) <= _SHORT:
            for part in parts:
                part.tag, part.tail = "span", f" {part.tail or ''}"


def _level(element: etree._Element) -> int:
    """The level of a heading, from 1; 0 for any other element."""
    name = element.get("rend", "") if element.tag == "head" else element.tag
    found = _HEADING.fullmatch(name) if isinstance(name, str) else None
    return int(found[1]) if found else 0


def _body(tree: etree._Element) -> etree._Element:
    body = tree.find(".//body")
    return tree if body is None else body


def _drop_links_to_self(tree: HtmlElement) -> None:
    for link in list(tree.iter("a")):
        href = link.get("href", "")
        if href.startswith("#") and "".join(link.itertext()).strip() in _LINKS_TO_SELF:
            link.drop_tree()
