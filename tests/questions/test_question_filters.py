"""The filters of written questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from utility_annotation.questions.filters import FILTERS, Candidate, first_reason

PASSAGE = "The binary package of a library must not depend on the version of the compiler that built it, in general."


def _dropped_by(question: str, passage: str = PASSAGE) -> str:
    return first_reason(Candidate(question, "An answer.", passage))[0]


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


GERMAN = "Die Bibliothek öffnet jeden Tag um neun Uhr und schließt um achtzehn Uhr, außer an Feiertagen."
CROATIAN = "Zagreb je glavni i najveći grad Republike Hrvatske i nalazi se na rijeci Savi."


@pytest.mark.parametrize(
    ("question", "passage", "by"),
    [
        ("Wann öffnet die Bibliothek?", GERMAN, ""),
        ("bibliothek öffnungszeiten feiertag", GERMAN, ""),
        ("Windows 11 Bibliothek Update", GERMAN, ""),
        ("When does the library open?", GERMAN, "language"),
        ("Quand ouvre la bibliothèque ?", GERMAN, "language"),
        ("Wann öffnet die Bibliothek?", PASSAGE, "language"),
        ("name Bodhisattva vow", PASSAGE, ""),
        ("Gdje se nalazi Zagreb?", CROATIAN, ""),
        ("Где је Загреб?", CROATIAN, "script"),
        ("When does it open?", "ls -la /usr/bin | grep foo", ""),
    ],
)
def test_a_question_is_in_the_language_of_its_passage(question: str, passage: str, by: str) -> None:
    assert _dropped_by(question, passage) == by


def test_the_page_has_a_row_for_every_filter(root: Path) -> None:
    page = (root / "docs" / "annotate-your-documents.md").read_text()
    assert [name for name in FILTERS if f"| `{name}` |" not in page] == []
