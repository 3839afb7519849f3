"""Ground-truth answers of the questions that have some."""

from __future__ import annotations

from pathlib import Path

from .formats.msmarco_qa import NO_ANSWER
from .schemas import ANSWERS, iter_rows


def read_references(answers: Path | str) -> dict[str, list[str]]:
    """The ground-truth answers of each question that has some, in the file's order.

    As in the official MS MARCO QA scorer, a question with ``NO_ANSWER`` among its answers has none. Blank answers
    are dropped.

    Args:
        answers: schema ``ANSWERS``.
    """
    references = {}
    for row in iter_rows(ANSWERS, [answers]):
        if NO_ANSWER not in row["answers"] and (real := [answer for answer in row["answers"] if answer.strip()]):
            references[row["query_id"]] = real
    return references
