"""HTML and Markdown as blocks."""

from __future__ import annotations

import pytest

from utility_annotation.documents.blocks import Block
from utility_annotation.documents.markup import blocks_of_html, read_html, read_markdown

_PARAGRAPH = "The bisect module keeps a list in sorted order without sorting it again after each insertion. " * 3


def _texts(html: str) -> list[str]:
    return [block.text for block in blocks_of_html(html)]


def test_blocks_stand_below_their_headings() -> None:
    html = "<h1>A</h1><p>one</p><h2>B</h2><p>two</p><h3>C</h3><p>three</p><h2>D</h2><p>four</p>"
    assert blocks_of_html(html) == [
        Block("one", ("A",)),
        Block("two", ("A", "B")),
        Block("three", ("A", "B", "C")),
        Block("four", ("A", "D")),
    ]


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("<p>of <b>several</b>\n   <i>parts</i></p>", ["of several parts"]),
        ("before<p>in</p>after", ["before", "in", "after"]),
        ("<ul><li>one</li><li><p>two</p><p>three</p></li></ul>", ["one", "two", "three"]),
        ("a<hr>b<header>c</header><figure>d</figure>e<aside>f</aside>g", list("abcdefg")),
        ("<form><p>in a form</p></form>", ["in a form"]),
        ("<p>the <code>f(a,\n b)</code> call</p>", ["the f(a, b) call"]),
        ("<p>x |</p>", ["x |"]),
        ('<?xml version="1.0" encoding="utf-8"?><p>x</p>', ["x"]),
        ("<table><tr><td><p>a</p><p>b</p></td><td><p>c</p></td></tr></table>", ["a b | c"]),
        (f"<table><tr><td><p>{'long ' * 99}</p><p>b</p></td></tr></table>", [f"{'long ' * 99}".strip(), "b"]),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td></td></tr></table>", ["a | b", "1"]),
        ("<p>an <code>inline</code> piece</p>", ["an inline piece"]),
        ("<pre>def f():\n    return 1\n</pre>", ["def f():\n    return 1"]),
        ("<p>one<br>line</p>", ["one line"]),
        ("<p>kept<!-- a comment --> whole</p>", ["kept whole"]),
        ("<script>x()</script><style>p {}</style><p>shown</p><nav>Home</nav>", ["shown"]),
        ("<p>&lt;b&gt; &amp; more</p>", ["<b> & more"]),
        ("", []),
        ("<p> \n </p>", []),
    ],
)
def test_text_of_elements(html: str, texts: list[str]) -> None:
    assert _texts(html) == texts


def test_a_heading_may_hold_parts_and_one_without_an_end_is_text() -> None:
    assert blocks_of_html("<h1><div>Part 1</div><div>Title</div></h1><p>x</p>") == [Block("x", ("Part 1 Title",))]
    assert _texts(f"<h1>{'word ' * 99}") == [f"{'word ' * 99}".strip()]


def test_items_that_are_links_alone_are_left_out() -> None:
    html = (
        '<ul><li><a href="a">One</a></li><li><a href="b">Two</a>, which says more</li></ul><p><a href="c">Three</a></p>'
    )
    assert _texts(html) == ["Two, which says more", "Three"]


def test_the_content_of_a_page_is_told_from_its_navigation() -> None:
    page = (
        "<html><head><title>bisect - Python</title></head><body>"
        '<div class="nav"><ul><li><a href="/">Index</a></li><li><a href="/m">Modules</a></li></ul></div>'
        f'<div role="main"><h1>bisect<a class="headerlink" href="#x">¶</a></h1><p>{_PARAGRAPH}</p>'
        f"<h2>Functions</h2><p>{_PARAGRAPH}</p></div><footer>Copyright of us</footer></body></html>"
    )
    document = read_html(page.encode())
    assert document.title == "bisect - Python"
    assert [block.headings for block in document.blocks] == [("bisect",), ("bisect", "Functions")]
    assert {block.text for block in document.blocks} == {_PARAGRAPH.strip()}


def test_a_page_that_is_nearly_all_content_loses_no_section_and_no_heading() -> None:
    titled = '<div class="titlepage"><div><div><h2 class="title">{}</h2></div></div></div>'
    manual = (
        '<html><head><title>Files</title></head><body><div class="toc"><p>Contents</p></div>'
        f'<div class="chapter">{titled.format("1. Files")}<p>{_PARAGRAPH * 3}</p>'
        f'<div class="section" id="shared-libraries">{titled.format("2. Shared")}<p>They stand elsewhere.</p></div>'
        "</div><footer>Imprint</footer></body></html>"
    )
    blocks = read_html(manual.encode()).blocks
    assert [(block.text, block.headings) for block in blocks] == [
        ((_PARAGRAPH * 3).strip(), ("1. Files",)),
        ("They stand elsewhere.", ("2. Shared",)),
    ]


def test_a_layout_with_contents_is_no_table_of_contents() -> None:
    page = f'<html><body><div class="page toc"><h1>A</h1><p>{_PARAGRAPH}</p></div></body></html>'
    assert read_html(page.encode()).blocks == [Block(_PARAGRAPH.strip(), ("A",))]


def test_listings_of_a_page_keep_their_lines_and_inline_code_has_none() -> None:
    other = "".join(f"<div><h3>Another story {each}</h3><p>{'of something else. ' * 9}</p></div>" for each in range(9))
    page = (
        f"<html><body><article><p>{_PARAGRAPH}</p><p>Call <code>f(a,\nb)</code> so.</p><pre>if x:\n    y()</pre>"
        f'<p>{_PARAGRAPH}</p></article><div class="related">{other}</div></body></html>'
    )
    texts = [block.text for block in read_html(page.encode()).blocks]
    assert texts == [_PARAGRAPH.strip(), "Call f(a, b) so.", "if x:\n    y()", _PARAGRAPH.strip()]


def test_a_page_without_main_content_is_taken_whole() -> None:
    assert [block.text for block in read_html(b"<html><body><p>Only this.</p></body></html>").blocks] == ["Only this."]


def test_an_encoding_is_found_out() -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Stra\xdfe</p></body></html>'
    assert [block.text for block in read_html(page.encode("latin-1")).blocks] == ["Straße"]


def test_a_broken_byte_leaves_the_rest_of_a_page_whole() -> None:
    text = "Die Straße führt über größere Brücken nach Süden. " * 9
    page = f'<html><head><meta charset="utf-8"></head><body><p>{text}</p><p>'.encode() + b"\xff</p></body></html>"
    assert read_html(page).blocks[0].text == text.strip()


def test_markdown_has_headings_lists_tables_and_code() -> None:
    table, listing = "| a | b |\n|---|---|\n| 1 | 2 |", "```\nx = 1\ny = 2\n```"
    text = f"---\nauthor: x\n---\n# Guide\n\nSome *words*.\n\n- one\n- two\n\n{table}\n\n{listing}\n"
    blocks = read_markdown(text.encode()).blocks
    assert [block.text for block in blocks] == ["Some words.", "one", "two", "a | b", "1 | 2", "x = 1\ny = 2"]
    assert {block.headings for block in blocks} == {("Guide",)}


@pytest.mark.parametrize(
    ("text", "title", "texts"),
    [
        ("---\ntitle: A *b*\ndate: x\n---\n\nMore.\n", "A *b*", ["More."]),
        ("--- \ntitle: A\n...\nMore.", "A", ["More."]),
        ('+++\ntitle = "A"\n+++\nMore.', "A", ["More."]),
        ("---\ntags: [x]\n---\nMore.", "", ["More."]),
        ("---\n\nThis is text.\n\n---\n\nMore.", "", ["This is text.", "More."]),
        ("---\na: {b\n\n---\n\nMore.", "", ["a: {b", "More."]),
    ],
)
def test_of_what_stands_before_markdown_the_title_is_kept(text: str, title: str, texts: list[str]) -> None:
    document = read_markdown(text.encode())
    assert (document.title, [block.text for block in document.blocks]) == (title, texts)


def test_deep_lists_of_markdown_are_kept() -> None:
    lines = "\n".join(f"{'  ' * level}- level {level}" for level in range(20))
    assert [block.text for block in read_markdown(lines.encode()).blocks] == [f"level {each}" for each in range(20)]


def test_html_in_markdown_runs_nothing_and_stays_text() -> None:
    blocks = read_markdown(b"Text <b>bold</b>\n\n<script>alert(1)</script>\n").blocks
    assert [block.text for block in blocks] == ["Text bold"]


def test_deep_nesting_ends_well() -> None:
    assert isinstance(blocks_of_html("<div>" * 5000 + "deep" + "</div>" * 5000), list)
