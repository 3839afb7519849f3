"""HTML, and what is easily made HTML (Markdown), as blocks."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import trafilatura
from lxml import etree
from lxml.html import HtmlElement
from markdown_it import MarkdownIt

from .blocks import Block, Document, Headings, one_line
from .plain import decoded

_HEADING = re.compile(r"h([1-6])")
_PARTS = frozenset(
    ("p", "div", "section", "article", "main", "body", "address", "details", "summary", "blockquote", "quote", "dl")
) | frozenset(
    ("dt", "dd", "ul", "ol", "list", "li", "item", "table", "thead", "tbody", "tr", "row", "caption", "figcaption")
)
"""Elements that begin and end a block, of HTML and of trafilatura's own tree."""
_CELLS = frozenset(("td", "th", "cell"))
_ITEMS = frozenset(("li", "item"))
_SKIPPED = frozenset(("script", "style", "noscript", "template", "svg", "nav", "form", "button", "select", "iframe"))
_LINKS_TO_SELF = frozenset(("¶", "#", "§", "🔗", ""))
"""What links to a heading itself show; documentation has one beside each heading."""
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # what it cannot read is told by its result
logging.getLogger("htmldate").setLevel(logging.CRITICAL)


def read_html(data: bytes) -> Document:
    """A web page: its main content, without navigation, as trafilatura finds it; the whole page where it finds none.

    Raises:
        Unreadable: it is no text.
    """
    tree = trafilatura.load_html(data)
    if tree is None:  # a piece of a page
        return Document("", blocks_of_html(decoded(data)))
    title = one_line(tree.findtext(".//title") or "")
    _drop_links_to_self(tree)
    found = trafilatura.bare_extraction(
        tree, include_comments=False, include_tables=True, favor_recall=True, with_metadata=False
    )
    body = getattr(found, "body", None)
    blocks = [] if body is None else list(blocks_of(body))
    return Document(title, blocks or list(blocks_of(_body(tree))))


def read_markdown(data: bytes) -> Document:
    """Markdown (CommonMark with tables), also with YAML before it, which is left out."""
    text = _FRONT_MATTER.sub("", decoded(data).replace("\r\n", "\n"))
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return Document("", blocks_of_html(html))


def blocks_of_html(html: str | bytes) -> list[Block]:
    """The blocks of HTML that has no navigation around its content."""
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
    headings, parts = Headings(), _Parts()
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        level = _level(element)
        separate = level or _is_listing(element) or element.tag in _PARTS
        if event == "start":
            if separate and (text := parts.taken()):
                yield Block(text, headings.path)
            parts.begin(element)
            if element.tag in _SKIPPED:
                walk.skip_subtree()
        else:
            if level:
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
        self._unlinked = False
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
        self._add(element.tail)

    def taken(self) -> str:
        """The text, which is then begun again."""
        whole, links_alone = "".join(self._parts), bool(self._open["item"]) and not self._unlinked
        self._parts, self._unlinked = [], False
        if links_alone:
            return ""
        if self._open["listing"]:
            return "\n".join(line.rstrip() for line in whole.splitlines()).strip("\n")
        return one_line(whole).rstrip("| ").strip()

    def _add(self, text: str | None) -> None:
        if text:
            self._parts.append(text)
            self._unlinked |= not self._open["link"] and any(map(str.isalnum, text))

    def _count(self, element: etree._Element, number: int) -> None:
        self._open["listing"] += number * _is_listing(element)
        self._open["item"] += number * (element.tag in _ITEMS)
        self._open["link"] += number * (element.tag == "a")


def _is_listing(element: etree._Element) -> bool:
    return element.tag == "pre" or (element.tag == "code" and "\n" in (element.text or ""))


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
