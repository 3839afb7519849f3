"""The filters of written questions that look at the question and its passage alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ..annotation.prompts import length, words

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_FEWEST_WORDS, _MOST_WORDS = 2, 60
_COPIED_WORDS, _COPIED_CHARACTERS = 8, 40
"""A question that has so long a piece of its passage, in words and in characters, is copied from it."""
_UNSPACED, _COPIED_UNSPACED = ("CJK", "THAI", "LAO", "KHMER", "MYANMAR"), 16
"""Scripts without spaces between words, and so long a piece in their characters."""
_SURE_LANGUAGE, _OTHER_LANGUAGE = 0.5, 50
"""The probability from which on the language of a passage counts as known; and how many times likelier another one of
the question must be. Of 1,200 questions of SQuAD and NQ none is dropped, and 3 if only their content words are left."""
_PASSAGE = "(?:passage|text|document|article|excerpt|paragraph|section|snippet)"
_OF_THE_PASSAGE = re.compile(
    rf"\b(?:this|above|following|given|provided|preceding) {_PASSAGE}\b"
    r"|\bthe (?:passage|excerpt|snippet)\b"
    rf"|\b(?:in|by|from|according to) the {_PASSAGE}\W*$"
    r"|\baccording to (?:this|the (?:author|speaker|writer))\b",
    re.IGNORECASE,
)


class Candidate(NamedTuple):
    """A written question, its answer, and the text of the passage that it was written about."""

    question: str
    answer: str
    passage: str


def _form(candidate: Candidate) -> str:
    number = length(candidate.question)
    if not any(map(str.isalpha, candidate.question)):
        return "it has no letter"
    if not _FEWEST_WORDS <= number <= _MOST_WORDS:
        return f"it has {number} words"
    return ""


def _of_the_passage(candidate: Candidate) -> str:
    found = _OF_THE_PASSAGE.search(candidate.question)
    return f"it says {found[0]!r}" if found else ""


def _copied(candidate: Candidate) -> str:
    asked, told = (words(text.casefold()) for text in (candidate.question, candidate.passage))
    if _main_script(candidate.question) in _UNSPACED:
        piece = "".join(_longest_common("".join(asked), "".join(told)))
        return f"it copies {piece!r}" if len(piece) >= _COPIED_UNSPACED else ""
    longest = _longest_common(asked, told)
    piece = " ".join(longest)
    return f"it copies {piece!r}" if len(longest) >= _COPIED_WORDS and len(piece) >= _COPIED_CHARACTERS else ""


def _longest_common(first: Sequence[str], second: Sequence[str]) -> Sequence[str]:
    """The longest run of words, or of characters, that both have."""
    best, end = 0, 0
    before = [0] * (len(second) + 1)
    for place, word in enumerate(first, 1):
        now = [0] * (len(second) + 1)
        for other, its in enumerate(second, 1):
            if word == its:
                now[other] = before[other - 1] + 1
                if now[other] > best:
                    best, end = now[other], place
        before = now
    return first[end - best : end]


def _script(candidate: Candidate) -> str:
    asked, told = _main_script(candidate.question), _main_script(candidate.passage)
    return f"it is in {asked} and its passage in {told}" if asked and told and asked != told else ""


def _language(candidate: Candidate) -> str:
    (told, sure), *_ = _identifier().rank(candidate.passage)
    asked = dict(_identifier().rank(candidate.question))
    other = max(asked, key=asked.__getitem__)
    if sure < _SURE_LANGUAGE or asked[other] <= _OTHER_LANGUAGE * asked[told]:
        return ""
    return f"its language is {other} and that of its passage {told}"


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # here, as it takes a second

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _main_script(text: str) -> str:
    """The script of most letters, such as LATIN or CJK."""
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha())
    japanese = scripts.pop("HIRAGANA", 0) + scripts.pop("KATAKANA", 0)
    scripts["CJK"] += japanese
    return scripts.most_common(1)[0][0] if scripts.total() else ""


FILTERS: dict[str, Callable[[Candidate], str]] = {
    "form": _form,
    "of-the-passage": _of_the_passage,
    "copied": _copied,
    "script": _script,
    "language": _language,
}
"""By name, in the order in which they are asked: why a candidate is dropped, or nothing."""


def first_reason(candidate: Candidate) -> tuple[str, str]:
    """The first filter that drops a candidate, and why; both are empty if none does."""
    return next(((name, reason) for name, each in FILTERS.items() if (reason := each(candidate))), ("", ""))
