"""DOCX and EPUB as blocks."""

from __future__ import annotations

import pytest
from made import docx, epub, packed, replaced

from utility_annotation.documents import packed as readers
from utility_annotation.documents.blocks import Block, Unreadable


def test_a_document_of_word_has_headings() -> None:
    data = docx([("Heading 1", "Guide"), ("", "One."), ("Heading 2", "Part"), ("", "Two & three.")], title="The Guide")
    document = readers.read_docx(data)
    assert document.title == "The Guide"
    assert document.blocks == [Block("One.", ("Guide",)), Block("Two & three.", ("Guide", "Part"))]


_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


@pytest.mark.parametrize(
    ("styles", "heading"),
    [
        ('<w:style w:type="paragraph" w:styleId="Ü1"><w:name w:val="heading 1"/></w:style>', True),
        (
            '<w:style w:type="paragraph" w:styleId="Ü1"><w:name w:val="Überschrift 1"/>'
            '<w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>',
            True,
        ),
        (
            '<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 7"/></w:style>'
            '<w:style w:type="paragraph" w:styleId="Ü1"><w:name w:val="Own"/><w:basedOn w:val="2"/></w:style>',
            True,
        ),
        (
            '<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/></w:style>'
            '<w:style w:type="paragraph" w:styleId="Ü1"><w:name w:val="Body"/><w:basedOn w:val="2"/>'
            '<w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>',
            False,
        ),
        ('<w:style w:type="paragraph" w:styleId="Ü1"><w:name w:val="x"/><w:basedOn w:val="Ü1"/></w:style>', False),
    ],
)
def test_styles_of_word_are_headings_by_their_level(styles: str, heading: bool) -> None:
    data = docx([("Ü1", "Start"), ("", "One.")])
    data = replaced(data, "word/styles.xml", f"<w:styles {_WORD}>{styles}</w:styles>".encode())
    blocks = readers.read_docx(data).blocks
    assert blocks == ([Block("One.", ("Start",))] if heading else [Block("Start"), Block("One.")])


def test_a_row_of_a_table_of_word_is_one_block() -> None:
    cells = "".join(f"<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>" for text in "ab")
    body = f"<w:document {_WORD}><w:body><w:tbl><w:tr>{cells}</w:tr></w:tbl></w:body></w:document>"
    assert readers.read_docx(replaced(docx([]), "word/document.xml", body.encode())).blocks == [Block("a | b")]


def test_chapters_of_a_book_come_in_reading_order() -> None:
    book = epub({"b": "<h1>Second</h1><p>two</p>", "a": "<h1>First</h1><p>one</p>"}, title="Book", order=["a", "b"])
    document = readers.read_epub(book)
    assert (document.title, document.note) == ("Book", "")
    assert document.blocks == [Block("one", ("First",)), Block("two", ("Second",))]


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [("", "utf-8"), ("", "utf-16"), ("utf-8", "utf-8"), ("iso-8859-1", "latin-1"), ("unknown", "utf-8")],
)
def test_a_chapter_is_read_in_its_encoding(declaration: str, encoding: str) -> None:
    begins = f'<?xml version="1.0" encoding="{declaration}"?>\n' if declaration else ""
    book = epub({"a": ""}, order=["a"])
    chapter = f"{begins}<html><body><p>Die Straße führt über die Brücke.</p></body></html>".encode(encoding)
    assert readers.read_epub(replaced(book, "OEBPS/a.xhtml", chapter)).blocks == [
        Block("Die Straße führt über die Brücke.")
    ]


def test_a_lost_chapter_is_told() -> None:
    document = readers.read_epub(epub({"a": "<p>one</p>"}, order=["a", "gone"]))
    assert document.note == "1 of 2 chapters are not in it"


@pytest.mark.parametrize(
    ("read", "data", "reason"),
    [
        (readers.read_docx, b"\xd0\xcf\x11\xe0 old", "encrypted, or of Word's format before"),
        (readers.read_docx, b"plain text", "broken"),
        (readers.read_docx, packed({"other.txt": "x"}), "no document of Word"),
        (readers.read_docx, docx([("", "x")])[:200], "broken"),
        (readers.read_epub, packed({"other.txt": "x"}), "broken"),
        (readers.read_epub, packed({"META-INF/container.xml": "<container/>"}), "names no content"),
        (readers.read_epub, packed({"META-INF/container.xml": "<contai"}), "broken"),
        (readers.read_epub, epub({"a": "<p>x</p>"}, locked="a"), "encrypted"),
    ],
)
def test_what_cannot_be_read_is_told(read: object, data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(data)  # type: ignore[operator]


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "LARGEST", 1000)
    with pytest.raises(Unreadable, match="unpack"):
        readers.read_epub(epub({"a": "<p>x</p>" * 1000}))


def test_an_entity_is_not_resolved() -> None:
    opf = '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><package><title>&x;</title></package>'
    container = '<container><rootfile full-path="c.opf"/></container>'
    document = readers.read_epub(packed({"META-INF/container.xml": container, "c.opf": opf}))
    assert "root:" not in document.title
