"""Plain text as blocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.documents.blocks import Unreadable
from utility_annotation.documents.plain import blocks_of_text, decoded, read_text


def _blocks(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(block.text, block.headings) for block in blocks_of_text(text)]


def test_lines_of_a_paragraph_are_joined() -> None:
    assert _blocks("one\ntwo\n\n\nthree\r\nfour") == [("one two", ()), ("three four", ())]
    assert _blocks("one\rtwo\r\rthree") == [("one two", ()), ("three", ())]


def test_lists_and_listings_keep_their_lines() -> None:
    assert _blocks("- one\n- two") == [("- one\n- two", ())]
    assert _blocks("=== ===\na   b\n=== ===") == [("=== ===\na   b\n=== ===", ())]
    assert _blocks("x:\n    y = 1\n    z = 2") == [("x:\n    y = 1\n    z = 2", ())]


def test_underlined_titles_are_headings_in_the_order_of_their_styles() -> None:
    text = "=====\nGuide\n=====\n\nintro\n\nPart\n====\n\none\n\nDetail\n------\ntwo\n\nOther\n=====\n\nthree"
    assert _blocks(text) == [
        ("intro", ("Guide",)),
        ("one", ("Guide", "Part")),
        ("two", ("Guide", "Part", "Detail")),
        ("three", ("Guide", "Other")),
    ]


def test_a_rule_without_a_title_is_no_heading() -> None:
    assert _blocks("one\n\n-----\n\ntwo") == [("one", ()), ("-----", ()), ("two", ())]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Straße".encode(), "Straße"),
        (b"\xef\xbb\xbfStra\xc3\x9fe", "Straße"),
        ("Straße".encode("utf-16"), "Straße"),
        ("Die Straße führt über größere Brücken nach Süden, sagt er.".encode("cp1252"), None),
    ],
)
def test_encodings(data: bytes, text: str | None) -> None:
    assert decoded(data) == (text or data.decode("cp1252"))


def test_a_broken_byte_leaves_the_rest_of_a_text_whole() -> None:
    whole = "Die Straße führt über größere Brücken nach Süden. " * 20
    assert decoded(whole.encode() + b"\xff" + whole.encode()) == f"{whole}\ufffd{whole}"


@pytest.mark.parametrize("encoding", ["cp1252", "shift_jis", "gb18030", "koi8-r", "euc-kr"])
def test_other_encodings_are_told_from_a_broken_one(encoding: str) -> None:
    words = {
        "cp1252": "Die Straße führt über größere Brücken nach Süden, sagt er. ",
        "shift_jis": "日本語の文章をシフトJISで書くと、文字化けすることがあります。",
        "gb18030": "这是一个测试文件，内容是中文。",
        "koi8-r": "Это тестовый файл на русском языке. ",
        "euc-kr": "이것은 한국어 시험 파일입니다. ",
    }
    text = words[encoding] * 9
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"a\0b"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_text(data)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")))
def test_no_word_is_lost_unless_it_is_a_heading(text: str) -> None:
    blocks = list(blocks_of_text(text))
    found = "".join("".join(block.text.split()) for block in blocks)
    headings = "".join("".join(heading.split()) for block in blocks for heading in block.headings)
    letters = [character for character in text if character.isalnum()]
    assert all(character in found + headings for character in letters) or not blocks
