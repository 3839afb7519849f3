"""BLEU and ROUGE-L as the official MS MARCO QA scorer computes them: coco-caption's, on spaCy's words in lower case.

The scorer of 2016 had an older spaCy; figures may differ slightly where its rules split words differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..io.formats.msmarco_qa import NO_ANSWER
from .bleu_counts import BLEU_COUNTS, MAX_ORDER

_TINY, _SMALL = 1e-15, 1e-9
"""coco-caption's constants against a division by zero."""


class Bleu(NamedTuple):
    """BLEU of one order.

    Attributes:
        corpus: BLEU of all answers together, from their summed n-gram counts and lengths; from 0 to 1.
        sentences: BLEU of each answer alone; shape (answers,). Their mean is not ``corpus``.
        counts: by name of :data:`BLEU_COUNTS`, what ``corpus`` is computed from; shape (answers,) each.
    """

    corpus: float
    sentences: np.ndarray
    counts: dict[str, np.ndarray]


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
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=MAX_ORDER)
    for answer, several in zip(answers, references, strict=True):
        scorer += (answer, list(several))
    corpus, sentences = scorer.compute_score(option="closest")
    rows = []
    for count in scorer.ctest:
        length = count["testlen"]
        closest = min((abs(reference - length), reference) for reference in count["reflen"])[1]
        rows.append([length, closest, *count["correct"], *count["guess"]])
    counts = dict(zip(BLEU_COUNTS, np.array(rows, np.float64).T, strict=True))
    return [Bleu(figure, np.array(values), counts) for figure, values in zip(corpus, sentences, strict=True)]


def bleu_of_counts(order: int, sums: np.ndarray) -> np.ndarray:
    """Corpus BLEU from summed counts, as coco-caption computes it.

    Args:
        order: 1 to :data:`MAX_ORDER`.
        sums: shape (..., counts), the counts in the order of :data:`BLEU_COUNTS`.
    """
    correct, guessed = sums[..., 2 : 2 + order], sums[..., 2 + MAX_ORDER : 2 + MAX_ORDER + order]
    precision = np.prod((correct + _TINY) / (guessed + _SMALL), axis=-1) ** (1 / order)
    ratio = (sums[..., 0] + _TINY) / (sums[..., 1] + _SMALL)
    return precision * np.exp(np.minimum(0.0, 1 - 1 / ratio))


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
