"""PDF as blocks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from made import pdf

from utility_annotation.documents.blocks import Block, Unreadable
from utility_annotation.documents.pdf import _Line, _paragraphs, read_pdf

_FULL = "This line is about as long as a line of running text in a book would be, so it goes"
_REST = "on in the next one, where it ends."


def test_lines_become_paragraphs_with_their_page() -> None:
    document = read_pdf(pdf([[_FULL, _REST, _FULL, _REST], ["Another page.", _FULL, _REST]], title="A Book"))
    assert document.title == "A Book"
    whole = f"{_FULL} {_REST}"
    assert [(block.text, block.page) for block in document.blocks] == [
        (whole, 1),
        (whole, 1),
        ("Another page.", 2),
        (whole, 2),
    ]


def test_a_paragraph_goes_on_on_the_next_page_and_words_become_whole() -> None:
    document = read_pdf(pdf([[_FULL[:-8] + "exam-"], ["ples that follow.", _FULL]]))
    assert [(block.text, block.page) for block in document.blocks] == [
        (_FULL[:-8] + "examples that follow.", 1),
        (_FULL, 2),
    ]


def test_running_heads_and_page_numbers_go() -> None:
    pages = [
        ["A Manual, release 1.0", f"{word} {_FULL}", f"{_REST} {word}", f"{3 + number} Chapter {number}. {word}"]
        for number, word in enumerate(("One", "Two", "Three", "Four"), 1)
    ]
    texts = [block.text for block in read_pdf(pdf(pages)).blocks]
    assert not [text for text in texts if "Manual" in text or "Chapter" in text]
    assert sum(_FULL in text for text in texts) == 4


def test_a_line_that_stands_at_some_edges_by_chance_stays() -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    pages = [
        ["Caution" if page % 4 == 0 else f"The {word} page.", f"{word} {_FULL}", f"{_REST} {word}", f"{word}, the end."]
        for page, word in enumerate(words)
    ]
    blocks = read_pdf(pdf(pages)).blocks
    assert [block.page for block in blocks if block.text == "Caution"] == [1, 5, 9]


def test_a_heading_may_take_several_lines() -> None:
    pages = [[_FULL, _REST, "2.1 A heading that is longer", "than its line", _FULL, _REST]]
    blocks = read_pdf(pdf(pages, outline=[(1, "A heading that is longer than its line")])).blocks
    assert [(block.text, block.headings) for block in blocks] == [
        (f"{_FULL} {_REST}", ()),
        (f"{_FULL} {_REST}", ("A heading that is longer than its line",)),
    ]


def test_many_pages_with_headings_are_read_in_time() -> None:
    lines = [_Line("a line", 1 + number // 20) for number in range(100_000)]
    began = time.process_time()
    assert list(_paragraphs(lines, {page: [(1, f"Part {page}")] for page in range(1, 5001)}))
    assert time.process_time() - began < 6


def test_a_broken_page_costs_its_own_text_alone() -> None:
    data = pdf([["Of the first page."], ["Of the second page."]])
    document = read_pdf(data.replace(b"/Type /Page /Parent", b"/Type /None /Parent", 1))
    assert [(block.text, block.page) for block in document.blocks] == [("Of the second page.", 2)]
    assert document.note == "1 of 2 pages have no text"


def test_broken_titles_cost_themselves_alone() -> None:
    data = pdf([[_FULL]], title="x", outline=[(1, "yyyyyy")])
    document = read_pdf(data.replace(b"(x)", b"<FEFFD800>").replace(b"(yyyyyy)", b"<FEFFD800>"))
    assert (document.title, document.blocks) == ("", [Block(_FULL, (), 1)])


def test_headings_come_from_the_outline_and_its_lines_are_no_text() -> None:
    pages = [["1 Beginning", _FULL, _REST, "1.1 Detail", _FULL, _REST], [_FULL, _REST]]
    document = read_pdf(pdf(pages, outline=[(1, "Beginning"), (1, "Detail"), (2, "Ending")]))
    assert [block.headings for block in document.blocks] == [("Beginning",), ("Detail",), ("Ending",)]
    assert not [block for block in document.blocks if "Detail" in block.text or "Beginning" in block.text]


def test_tables_of_contents_are_left_out() -> None:
    document = read_pdf(
        pdf([["Beginning . . . . . . . . . 3", "Detail ........... 4", "More ............", _FULL, "And so...."]])
    )
    assert [block.text for block in document.blocks] == [f"{_FULL} And so...."]


def test_pages_without_text_are_told() -> None:
    assert read_pdf(pdf([[_FULL], []])).note == "1 of 2 pages have no text"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdf([[], []]), "no text"),
        (b"no PDF at all", "no PDF"),
        (pdf([[_FULL]])[:200], "no PDF"),
    ],
)
def test_what_has_no_text_or_is_broken_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_pdf(data)


def test_an_encrypted_file_is_told() -> None:
    with pytest.raises(Unreadable, match="encrypted"):
        read_pdf((Path(__file__).parents[1] / "fixtures" / "documents" / "encrypted.pdf").read_bytes())
