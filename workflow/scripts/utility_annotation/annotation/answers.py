"""The pseudo-answer: a short answer that the LLM writes from the relevant passages, pointwise from the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engines.protocol import Completion, ReplyRequest
from ..engines.thinking import after_thinking
from ..settings import Annotator
from .items import Item
from .prompts import PromptTemplate


class AnswerStage:
    """One chat per query with the passages that the relevance selection kept.

    Args:
        annotator: protocol, sampling of answers, and thinking.
        template: the prompt.
    """

    votes = False

    def __init__(self, annotator: Annotator, template: PromptTemplate) -> None:
        self._sampling, self._thinking = annotator.answer_sampling, annotator.thinking
        self._template = template
        self._passages = annotator.pointwise.answer_passages if annotator.protocol == "pointwise" else None

    def requests(self, item: Item) -> list[ReplyRequest]:
        """One chat."""
        passages = item.passages if self._passages is None else item.most_relevant(self._passages)
        chat = self._template.render(query=item.query, passages=[passage.text for passage in passages])
        return [ReplyRequest(chat, self._sampling)]

    def unreadable(self, item: Item, results: Sequence[Completion]) -> list[int]:
        """The reply, if the model ended its turn within its thought."""
        return [0] if self.row(item, results)["outcome"] == "unparsable" else []

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """The answer; null if the reply is blank (``empty``) or the model never stopped thinking.

        An answer that the token limit cut off is ``truncated`` and kept.
        """
        (completion,) = results
        text = after_thinking(completion.text, thinking=self._thinking)
        cut_off = completion.finish_reason == "length"
        return {
            "outcome": "truncated" if cut_off else "unparsable" if text is None else "ok" if text else "empty",
            "answer": text or None,
            "replies": [completion.text],
            "finish_reason": completion.finish_reason,
        }
