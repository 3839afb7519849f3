"""Exact match and F1 of an answer, as in the official SQuAD 2.0 evaluation script."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")


def normalise(answer: str) -> str:
    """Lower case, without ASCII punctuation and English articles, words parted by single spaces."""
    return " ".join(_ARTICLE.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, references: Sequence[str]) -> float:
    """1 where the answer, normalised, is one of the references, normalised; else 0."""
    return float(normalise(answer) in _normalised(references))


def f1(answer: str, references: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of the answer's words, from 0 to 1; of the references the best counts."""
    return max(_f1(normalise(answer).split(), reference.split()) for reference in _normalised(references))


def _normalised(references: Sequence[str]) -> list[str]:
    """The references of which something is left; where nothing is left of any (``The``), an empty answer is right."""
    return [kept for reference in references if (kept := normalise(reference))] or [""]


def _f1(answer: list[str], reference: list[str]) -> float:
    if not answer or not reference:
        return float(answer == reference)
    common = (Counter(answer) & Counter(reference)).total()
    if not common:
        return 0.0
    precision, recall = common / len(answer), common / len(reference)
    return 2 * precision * recall / (precision + recall)
