"""umbrela and utilgrade: each passage gets a grade from 0 to 3, as assessors of TREC give them.

umbrela grades relevance by the scale of UMBRELA (Upadhyay et al., arXiv 2406.06519), with a prompt of our own.
utilgrade grades the utility for a pseudo-answer by a scale of our own. The templates define the grades.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..engines.protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest
from ..engines.thinking import after_thinking
from ..io.label_values import HIGHEST_GRADE
from ..settings import Annotator
from .items import Item
from .pointwise import Likelihoods, score_column, scores_of
from .prompts import PromptTemplate
from .replies import plain_line
from .shard import Stage

GRADES = tuple(range(HIGHEST_GRADE + 1))
_GRADE = re.compile(
    r"(?:(?:my|the|final|overall|relevance|utility) )*(?:grade|score|rating)(?: is)? ?[:=]? ?"
    r"(?P<grade>\d+)(?: ?/ ?3| out of 3)?\.?",
    re.IGNORECASE,
)
_ALONE = re.compile(r"(?P<grade>\d+)(?: ?/ ?3)?\.?")
GUIDE = rf"Grade: [{GRADES[0]}-{GRADES[-1]}]"
"""The regular expression of the replies that structured outputs admit; each is readable."""


def read_grade(completion: Completion, *, thinking: bool = False) -> int | None:
    """The grade of a reply: a line ``Grade: 2``, or a number that is the whole reply.

    Nothing else may stand on the line. None if there is no such line, if several differ, or if the grade is not on the
    scale. The last line of a reply that was cut off is not read.
    """
    lines = [plain_line(line) for line in (after_thinking(completion.text, thinking=thinking) or "").split("\n")]
    if completion.finish_reason == "length":
        lines = lines[:-1]
    lines = [line for line in lines if line]
    forms = [_GRADE, _ALONE] if len(lines) == 1 else [_GRADE]
    found = {int(match["grade"]) for line in lines for form in forms if (match := form.fullmatch(line))}
    return found.pop() if len(found) == 1 and found <= set(GRADES) else None


def grading_stage(annotator: Annotator, template: PromptTemplate, *, needs_answer: bool) -> Stage:
    """The stage, by the annotator's protocol."""
    if annotator.protocol == "listwise":
        return Grading(annotator, template, needs_answer=needs_answer)
    return GradeLikelihood(template, needs_answer=needs_answer)


class Grading:
    """One chat per passage, whose reply is a grade.

    Args:
        annotator: sampling, thinking and structured outputs.
        template: the prompt, with one passage.
        needs_answer: whether it holds the pseudo-answer.
    """

    votes = False

    def __init__(self, annotator: Annotator, template: PromptTemplate, *, needs_answer: bool) -> None:
        self._annotator, self._template, self._needs_answer = annotator, template, needs_answer

    def requests(self, item: Item) -> Sequence[ReplyRequest] | Failure:
        """One chat per passage."""
        if self._needs_answer and not self._template.cleaner.text(item.answer or ""):
            return Failure("there is no answer to judge utility by")
        guide = GUIDE if self._annotator.structured_outputs else None
        return [
            ReplyRequest(
                self._template.render(query=item.query, passages=[passage.text], answer=item.answer),
                self._annotator.sampling,
                guide,
            )
            for passage in item.passages
        ]

    def unreadable(self, item: Item, results: Sequence[Completion]) -> list[int]:
        """The passages whose reply has no grade."""
        return [place for place, grade in enumerate(self._grades(results)) if grade is None]

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """The grade of every passage shown as its score; null for one whose reply has none, and if none has any."""
        grades = self._grades(results)
        cut_off = all(result.finish_reason == "length" for result in results)
        readable = any(grade is not None for grade in grades)
        scores = zip(item.passages, grades, strict=True)
        return {
            "outcome": "ok" if readable else "truncated" if cut_off else "unparsable",
            "scores": [{"docid": passage.docid, "score": grade} for passage, grade in scores] if readable else None,
            "replies": [result.text for result in results],
            "finish_reason": results[-1].finish_reason,
        }

    def _grades(self, results: Sequence[Completion]) -> list[int | None]:
        return [read_grade(result, thinking=self._annotator.thinking) for result in results]


class GradeLikelihood(Likelihoods):
    """The likeliest grade of each passage, for models that are too small to reply in a form.

    Args:
        template: the prompt, with one passage; a line with the grade is the assistant's next turn.
        needs_answer: whether it holds the pseudo-answer.
    """

    def __init__(self, template: PromptTemplate, *, needs_answer: bool) -> None:
        self._template, self._needs_answer = template, needs_answer

    def requests(self, item: Item) -> list[Continuation] | Failure:
        """Every grade of every passage."""
        if self._needs_answer and not self._template.cleaner.text(item.answer or ""):
            return Failure("there is no answer to judge utility by")
        chats = [
            self._template.render(query=item.query, passages=[passage.text], answer=item.answer)
            for passage in item.passages
        ]
        return [Continuation(chat, f"Grade: {grade}") for chat in chats for grade in GRADES]

    def row(self, item: Item, results: Sequence[LogLikelihood]) -> dict[str, Any]:
        """The likeliest grade of every passage shown as its score; of equally likely ones the lowest."""
        means = [result.mean for result in results]
        rows = [means[start : start + len(GRADES)] for start in range(0, len(means), len(GRADES))]
        grades = [float(GRADES[row.index(max(row))]) for row in rows]
        return {"outcome": "ok", "scores": score_column(scores_of(item.passages, grades))}
