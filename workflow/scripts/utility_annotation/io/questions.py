"""When two questions are the same, and which questions of a test set a retriever was trained on."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..common.errors import InputError
from .row_groups import batches
from .schemas import QUERIES, TRAINING_COPIES

_LOG = logging.getLogger(__name__)
_WORD = re.compile(r"\w+")
_SHOWN = 5

FUNCTION_WORDS = frozenset(
    [
        *(
            "a",
            "an",
            "the",
            "this",
            "that",
            "these",
            "those",
            "it",
            "its",
            "i",
            "me",
            "my",
            "you",
            "your",
            "we",
            "they",
        ),
        *(
            "they",
            "their",
            "am",
            "is",
            "are",
            "was",
            "were",
            "be",
            "been",
            "do",
            "does",
            "did",
            "has",
            "have",
            "had",
            "can",
        ),
        *("could", "shall", "should", "will", "would", "what", "when", "where", "which", "who", "whom", "whose", "why"),
        *("how", "and", "or", "if", "as", "at", "by", "for", "from", "in", "of", "on", "so", "there", "to", "with"),
        *("please", "tell"),
    ]
)
"""English words that carry little of a question's subject; two questions may differ in them and in their order."""


def question_key(text: str) -> str:
    """What questions have in common that ask the same: their words without case, punctuation, order and function words.

    A question of function words alone has all of them.
    """
    words = _WORD.findall(text.casefold())
    return " ".join(sorted([word for word in words if word not in FUNCTION_WORDS] or words))


def find_training_copies(queries: Path, training: Mapping[str, Path], output: Path) -> int:
    """Write the questions of a test set that are training questions too (:func:`question_key`); return their number.

    Args:
        queries: the test set's (schema ``QUERIES``).
        training: by name of a split, its questions (schema ``QUERIES``).
        output: schema ``TRAINING_COPIES``.
    """
    asked: dict[str, list[tuple[str, str]]] = {}
    for query_id, text in _questions(queries):
        asked.setdefault(question_key(text), []).append((query_id, text))
    found: dict[str, dict[str, str]] = {}
    for split, path in training.items():
        for training_id, text in _questions(path):
            for query_id, own in asked.get(question_key(text), ()):
                row = {"query_id": query_id, "text": own, "split": split, "training_query_id": training_id}
                found.setdefault(query_id, row | {"training_text": text})
    TRAINING_COPIES.write(output, TRAINING_COPIES.rows(list(found.values())))
    _LOG.info("%d questions of %s are in %s too", len(found), queries, ", ".join(training))
    for row in list(found.values())[:_SHOWN]:
        _LOG.info("%s %r repeats %s %r", row["query_id"], row["text"], row["training_query_id"], row["training_text"])
    return len(found)


def _questions(path: Path) -> Iterator[tuple[str, str]]:
    with QUERIES.open(path) as file:
        for batch in batches(file, columns=["query_id", "text"]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def repeated_queries(copies: Path) -> set[str]:
    """The ids of the questions in a file of :func:`find_training_copies`."""
    return set(TRAINING_COPIES.read(copies, ["query_id"])["query_id"].to_pylist())


def nothing_left(copies: Path, testset: str) -> InputError:
    """The error for a test set of which every judged question is a training question too."""
    return InputError(
        f"a training has every judged question of test set {testset}, and `training_copies: drop` leaves them out.",
        hint=f"set `testsets.{testset}.training_copies` to keep, or evaluate on other questions.",
        path=copies,
    )
