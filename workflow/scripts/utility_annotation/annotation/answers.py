"""The pseudo-answer: a short answer that the LLM writes from the relevant passages only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..configuration import Annotator
from .prompts import PromptTemplate
from .protocol import Chat, Completion
from .replies import after_thinking
from .shard import Item


class AnswerStage:
    """One chat a query with the passages that the relevance selection kept.

    Args:
        annotator: sampling of answers, and thinking.
        template: the prompt.
    """

    def __init__(self, annotator: Annotator, template: PromptTemplate) -> None:
        self.sampling = annotator.answer_sampling
        self._thinking, self._template = annotator.thinking, template

    def requests(self, item: Item) -> list[Chat]:
        """One chat."""
        return [self._template.render(query=item.query, passages=[passage.text for passage in item.passages])]

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """The answer; null where the reply is blank (``empty``) or the model never stopped thinking.

        An answer that the token limit cut off is ``truncated`` and kept: its beginning is still an answer.
        """
        (completion,) = results
        text = after_thinking(completion.text, thinking=self._thinking)
        cut_off = completion.finish_reason == "length"
        return {
            "outcome": "truncated" if cut_off else "unparsable" if text is None else "ok" if text else "empty",
            "answer": text or None,
            "reply": completion.text,
            "finish_reason": completion.finish_reason,
        }
