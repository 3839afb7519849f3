"""Questions that the LLM writes about a passage, with their answers: the stages named ``question-STYLE``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..engines.protocol import Completion, ReplyRequest
from ..engines.thinking import after_thinking
from ..settings import Annotator
from .items import Item
from .prompts import PromptTemplate

_LINE = re.compile(
    r"[\s>*_#`\-\d.)]*(?P<label>question|answer)\s*[\d.]*\s*[*_]*\s*[:\uff1a][*_]*(?P<text>.*)", re.IGNORECASE
)
_EMPTY = re.compile(r"[\s.…]*")


class Written(NamedTuple):
    """A question and its answer, each on one line."""

    question: str
    answer: str


def column_of(written: Sequence[Written]) -> str:
    """Questions as the ``answer`` column of an annotation holds them: a line each, with the answer on the next one."""
    return "\n".join(line for each in written for line in each)


def of_column(text: str) -> list[Written]:
    """Questions out of that column."""
    lines = text.split("\n")
    return [Written(*pair) for pair in zip(lines[::2], lines[1::2], strict=True)]


def read_written(text: str, most: int, *, cut_off: bool = False) -> list[Written]:
    """The first questions of a reply, at most ``most``, each with the answer that follows it.

    They are read from lines ``Question: …`` and ``Answer: …``; anything else in the reply counts for nothing. A
    question without an answer is left out, and so is one that stands twice. Of a reply that was cut off, the last line
    is not read.
    """
    lines = text.splitlines()
    found: dict[str, Written] = {}
    question = ""
    for line in lines[:-1] if cut_off else lines:
        match = _LINE.fullmatch(line)
        content = " ".join(match["text"].strip(" *_`").split()) if match else ""
        if match is None or _EMPTY.fullmatch(content):
            continue
        if match["label"].lower() == "question":
            question = content
        elif question:
            found.setdefault(question, Written(question, content))
            question = ""
    return [*found.values()][:most]


class QuestionStage:
    """One chat per passage.

    Args:
        annotator: sampling of answers, thinking, and how many questions are asked for.
        template: the prompt, which decides the style.
    """

    votes = False

    def __init__(self, annotator: Annotator, template: PromptTemplate) -> None:
        self._most, self._thinking = annotator.questions_per_passage, annotator.thinking
        tokens = annotator.answer_sampling.max_new_tokens * self._most
        self._sampling = annotator.answer_sampling.model_copy(update={"max_new_tokens": tokens})
        self.template = template

    def requests(self, item: Item) -> list[ReplyRequest]:
        """One chat."""
        passages = [passage.text for passage in item.passages]
        chat = self.template.render(query=item.query, passages=passages, questions=self._most)
        return [ReplyRequest(chat, self._sampling)]

    def unreadable(self, item: Item, results: Sequence[Completion]) -> list[int]:
        """The reply, if it lacks the form."""
        return [0] if self.row(item, results)["outcome"] == "unparsable" else []

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """The questions and their answers (:func:`column_of`); null if no question is whole."""
        (completion,) = results
        reply = after_thinking(completion.text, thinking=self._thinking) or ""
        cut_off = completion.finish_reason == "length"
        written = read_written(reply, self._most, cut_off=cut_off)
        return {
            "outcome": "ok" if written else "truncated" if cut_off else "unparsable",
            "answer": column_of(written) if written else None,
            "replies": [completion.text],
            "finish_reason": completion.finish_reason,
        }
