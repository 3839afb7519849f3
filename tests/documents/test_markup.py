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


def test_a_page_without_main_content_is_taken_whole() -> None:
    assert [block.text for block in read_html(b"<html><body><p>Only this.</p></body></html>").blocks] == ["Only this."]


def test_an_encoding_is_found_out() -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Stra\xdfe</p></body></html>'
    assert [block.text for block in read_html(page.encode("latin-1")).blocks] == ["Straße"]


def test_markdown_has_headings_lists_tables_and_code() -> None:
    table, listing = "| a | b |\n|---|---|\n| 1 | 2 |", "```\nx = 1\ny = 2\n```"
    text = f"---\nauthor: x\n---\n# Guide\n\nSome *words*.\n\n- one\n- two\n\n{table}\n\n{listing}\n"
    blocks = read_markdown(text.encode()).blocks
    assert [block.text for block in blocks] == ["Some words.", "one", "two", "a | b", "1 | 2", "x = 1\ny = 2"]
    assert {block.headings for block in blocks} == {("Guide",)}


def test_html_in_markdown_runs_nothing_and_stays_text() -> None:
    blocks = read_markdown(b"Text <b>bold</b>\n\n<script>alert(1)</script>\n").blocks
    assert [block.text for block in blocks] == ["Text bold"]


def test_deep_nesting_ends_well() -> None:
    assert isinstance(blocks_of_html("<div>" * 5000 + "deep" + "</div>" * 5000), list)
