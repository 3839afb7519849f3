"""PDF as blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import pdf

from utility_annotation.documents.blocks import Unreadable
from utility_annotation.documents.pdf import read_pdf

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


def test_headings_come_from_the_outline_and_its_lines_are_no_text() -> None:
    pages = [["1 Beginning", _FULL, _REST, "1.1 Detail", _FULL, _REST], [_FULL, _REST]]
    document = read_pdf(pdf(pages, outline=[(1, "Beginning"), (1, "Detail"), (2, "Ending")]))
    assert [block.headings for block in document.blocks] == [("Beginning",), ("Detail",), ("Ending",)]
    assert not [block for block in document.blocks if "Detail" in block.text or "Beginning" in block.text]


def test_tables_of_contents_are_left_out() -> None:
    document = read_pdf(pdf([["Beginning . . . . . . . . . 3", "Detail ........... 4", _FULL]]))
    assert [block.text for block in document.blocks] == [_FULL]


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
