"""Ground-truth answers: which questions have some, and which they are."""

from __future__ import annotations

from pathlib import Path

from .schemas import ANSWERS, iter_rows

NO_ANSWER = "No Answer Present."
"""What MS MARCO QA lists among the answers of a question whose passages do not answer it."""


def read_references(answers: Path | str) -> dict[str, list[str]]:
    """The ground-truth answers of each question that has some, in the file's order.

    As in the official MS MARCO QA scorer, a question with :data:`NO_ANSWER` among its answers has none. Blank answers
    are left out.

    Args:
        answers: schema ``ANSWERS``.
    """
    references = {}
    for row in iter_rows(ANSWERS, [answers]):
        if NO_ANSWER not in row["answers"] and (real := [answer for answer in row["answers"] if answer.strip()]):
            references[row["query_id"]] = real
    return references
