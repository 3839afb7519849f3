"""A question that the LLM writes about a passage, with its answer: the stages named ``question-STYLE``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..engines.protocol import Completion, ReplyRequest
from ..engines.thinking import after_thinking
from ..settings import Annotator
from .items import Item
from .prompts import PromptTemplate

_LINE = re.compile(r"[\s>*_#`-]*(?P<label>question|answer)\s*[*_]*\s*[:\uff1a][*_]*(?P<text>.*)", re.IGNORECASE)
_EMPTY = re.compile(r"[\s.…]*")


class Written(NamedTuple):
    """A question and its answer, each on one line."""

    question: str
    answer: str

    @property
    def text(self) -> str:
        """Both as the ``answer`` column of an annotation holds them."""
        return f"{self.question}\n{self.answer}"

    @classmethod
    def of(cls, text: str) -> Written:
        """Both out of that column."""
        question, _, answer = text.partition("\n")
        return cls(question, answer)


def read_written(text: str) -> Written | None:
    """The first question of a reply and the answer that follows it, from lines ``Question: …`` and ``Answer: …``.

    Anything else in the reply counts for nothing. None if one of the two is missing or blank.
    """
    question = ""
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        content = " ".join(found["text"].strip(" *_`").split())
        if _EMPTY.fullmatch(content):
            continue
        if found["label"].lower() == "question":
            question = question or content
        elif question:
            return Written(question, content)
    return None


class QuestionStage:
    """One chat per passage.

    Args:
        annotator: sampling of answers, and thinking.
        template: the prompt, which decides the style.
    """

    votes = False

    def __init__(self, annotator: Annotator, template: PromptTemplate) -> None:
        self._sampling, self._thinking = annotator.answer_sampling, annotator.thinking
        self._template = template

    def requests(self, item: Item) -> list[ReplyRequest]:
        """One chat."""
        chat = self._template.render(query=item.query, passages=[passage.text for passage in item.passages])
        return [ReplyRequest(chat, self._sampling)]

    def unreadable(self, item: Item, results: Sequence[Completion]) -> list[int]:
        """The reply, if it lacks the form."""
        return [0] if self.row(item, results)["outcome"] == "unparsable" else []

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """The question and its answer (:attr:`Written.text`); null if the reply lacks the form or was cut off."""
        (completion,) = results
        written = read_written(after_thinking(completion.text, thinking=self._thinking) or "")
        cut_off = completion.finish_reason == "length"
        return {
            "outcome": "truncated" if cut_off else "ok" if written else "unparsable",
            "answer": written.text if written and not cut_off else None,
            "replies": [completion.text],
            "finish_reason": completion.finish_reason,
        }
