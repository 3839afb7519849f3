"""The filters of written questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from utility_annotation.questions.filters import FILTERS, Candidate

PASSAGE = "The binary package of a library must not depend on the version of the compiler that built it, in general."


def _dropped_by(question: str, passage: str = PASSAGE) -> str:
    candidate = Candidate(question, "An answer.", passage)
    return next((name for name, each in FILTERS.items() if each(candidate)), "")


@pytest.mark.parametrize(
    ("question", "by"),
    [
        ("May a library depend on its compiler?", ""),
        ("library compiler version", ""),
        ("Where is the documentation of the text editor?", ""),
        ("Who signs the document before it is sent?", ""),
        ("Which version is named in the document?", "of-the-passage"),
        ("?!", "form"),
        ("Libraries", "form"),
        ("why " * 70, "form"),
        ("What does this passage say about libraries?", "of-the-passage"),
        ("According to the given text, what must a library not do?", "of-the-passage"),
        ("According to the author, what is forbidden?", "of-the-passage"),
        ("Why is it that the binary package of a library must not depend on the version?", "copied"),
        ("От чего не зависит библиотека?", "script"),
    ],
)
def test_each_filter_drops_its_own(question: str, by: str) -> None:
    assert _dropped_by(question) == by


@pytest.mark.parametrize(
    ("question", "by"),
    [
        ("図書館は何時に開きますか？", ""),
        ("市立図書館は毎日午前九時に開館しますか？", "copied"),
        ("When does it open?", "script"),
    ],
)
def test_a_language_without_spaces_is_judged_by_its_characters(question: str, by: str) -> None:
    assert _dropped_by(question, "市立図書館は毎日午前九時に開館し、午後六時に閉館する。") == by


def test_the_page_has_a_row_for_every_filter(root: Path) -> None:
    page = (root / "docs" / "annotate-your-documents.md").read_text()
    assert [name for name in FILTERS if f"| `{name}` |" not in page] == []
