"""BLEU and ROUGE-L as the official MS MARCO QA scorer computes them: coco-caption's, on spaCy's words in lower case.

The scorer of 2016 had an older spaCy; figures may differ slightly where its rules split words differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..io.formats.msmarco_qa import NO_ANSWER

MAX_ORDER = 4
"""BLEU-1 to BLEU-4 are computed."""


class Bleu(NamedTuple):
    """BLEU of one order.

    Attributes:
        corpus: BLEU of all answers together, from their summed n-gram counts and lengths; from 0 to 1.
        sentences: BLEU of each answer alone; shape (answers,). Their mean is not ``corpus``.
    """

    corpus: float
    sentences: np.ndarray


def tokenise(texts: Iterable[str]) -> list[str]:
    """Each text as its words in lower case, joined by spaces; ``NO_ANSWER`` is an empty text."""
    answers = ("" if text == NO_ANSWER else text for text in texts)
    return [" ".join(token.text.strip().lower() for token in document) for document in _english().pipe(answers)]


@cache
def _english() -> Any:
    """spaCy's blank English pipeline: a tokenizer alone."""
    import spacy

    return spacy.blank("en")


def bleu(answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[Bleu]:
    """BLEU-1 to BLEU-4, in this order.

    Args:
        answers: tokenised; one per question.
        references: tokenised; at least one per question.
    """
    from pycocoevalcap.bleu.bleu import Bleu as CocoBleu

    corpus, sentences = CocoBleu(MAX_ORDER).compute_score(*_by_question(answers, references), verbose=0)
    return [Bleu(figure, np.array(values)) for figure, values in zip(corpus, sentences, strict=True)]


def rouge_l(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """ROUGE-L (β = 1.2) of each answer, from best precision and best recall over its references; shape (answers,).

    Args:
        answers: tokenised; one per question.
        references: tokenised; at least one per question.
    """
    from pycocoevalcap.rouge.rouge import Rouge

    return Rouge().compute_score(*_by_question(answers, references))[1]


def _by_question(
    answers: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """References and answers in the form that coco-caption takes."""
    return {place: list(known) for place, known in enumerate(references)}, {
        place: [answer] for place, answer in enumerate(answers)
    }
