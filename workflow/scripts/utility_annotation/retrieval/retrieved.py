"""The passages shown to an LLM that answers a question: those that a retriever ranks highest."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from ..annotation.items import Item, Passage
from ..common.errors import InputError
from ..io.answers import read_references
from ..io.passages import find_passages
from ..io.schemas import QUERIES, iter_rows, passage_text
from .runs import read_rankings, search_again

logger = logging.getLogger(__name__)


def read_retrieved(
    queries: Path, answers: Path, run: Path, corpus: Path, *, passages: int, titles: bool = True
) -> list[Item]:
    """Every question that has a ground-truth answer, with its highest-ranked passages, best first.

    A question without a retrieved passage (BM25 finds none if no word matches) stays: the LLM then answers from what it
    knows, so that every retriever is measured on the same questions. The log counts these questions.

    Args:
        queries: schema ``QUERIES``; its order is kept.
        answers: schema ``ANSWERS``. It decides which questions are asked; no answer is shown.
        run: schema ``RUN``.
        corpus: schema ``CORPUS``.
        passages: the number of passages per question.
        titles: whether the passages have their titles.

    Raises:
        InputError: no question has a ground-truth answer, or the run names a passage that the corpus lacks.
    """
    answered = read_references(answers).keys()
    questions = {row["query_id"]: row["text"] for row in iter_rows(QUERIES, [queries]) if row["query_id"] in answered}
    if not questions:
        raise InputError(
            "no question of the split has a ground-truth answer.", hint="name a split that has some.", path=answers
        )
    items = read_ranked(questions, run, corpus, passages=passages, titles=titles)
    alone = sum(not item.passages for item in items)
    logger.info("%d questions with a ground-truth answer, %d of them without a retrieved passage", len(items), alone)
    return items


def read_ranked(
    questions: Mapping[str, str], run: Path, corpus: Path, *, passages: int, titles: bool = True
) -> list[Item]:
    """Questions, each with its highest-ranked passages, best first. All these passages are in memory.

    Args:
        questions: texts by query id.
        run, corpus, passages, titles: those of :func:`read_retrieved`.

    Raises:
        InputError: the run names a passage that the corpus lacks.
    """
    rankings = read_rankings(run, passages)
    wanted = {docid for query_id in questions for docid in rankings.get(query_id, [])}
    found = find_passages(corpus, wanted)
    if missing := sorted(wanted - found.keys()):
        raise InputError(
            f"the run has passage {missing[0]!r}, which the corpus lacks.",
            hint=search_again(run),
            path=run,
        )
    texts = {
        docid: Passage(docid, passage_text(title if titles else None, text)) for docid, (title, text) in found.items()
    }
    return [
        Item(query_id, text, tuple(texts[docid] for docid in rankings.get(query_id, [])))
        for query_id, text in questions.items()
    ]
