"""gain-short and gain-sentence: what an LLM answers without any passage, and with each candidate alone.

The utility of a passage for an LLM is how much better it answers with the passage than without one (arXiv 2510.11358).
A stage asks with the prompts of question answering. A metric compares the answers with the ground truth when labels
are made, so that another metric asks the LLM nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engines.protocol import Completion, ReplyRequest
from ..engines.thinking import after_thinking
from ..settings import Annotator
from .items import Item
from .prompts import PromptTemplate


class AnswersAlone:
    """One chat per query without a passage, then one for each of its candidates.

    Args:
        annotator: sampling of answers, and thinking.
        template: the prompt of question answering.
    """

    votes = False

    def __init__(self, annotator: Annotator, template: PromptTemplate) -> None:
        self._sampling, self._thinking = annotator.answer_sampling, annotator.thinking
        self._template = template

    def requests(self, item: Item) -> list[ReplyRequest]:
        """The chat without a passage first."""
        shown = [[], *([passage.text] for passage in item.passages)]
        chats = [self._template.render(query=item.query, passages=passages) for passages in shown]
        return [ReplyRequest(chat, self._sampling) for chat in chats]

    def unreadable(self, item: Item, results: Sequence[Completion]) -> list[int]:
        """The replies in which the model ended its turn within its thought."""
        return [
            place
            for place, (answer, result) in enumerate(zip(self._answers(results), results, strict=True))
            if answer is None and result.finish_reason != "length"
        ]

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """``docids`` are the passages whose answer could be read; ``replies`` the answer without a passage, and theirs.

        Thoughts are left out of the answers. An answer that the token limit cut off is kept. For each that is all
        thought a blank one stands at the end. A question is unparsable or truncated if the answer without a passage is
        all thought, or all others are.
        """
        alone, *others = self._answers(results)
        read = {
            passage.docid: answer for passage, answer in zip(item.passages, others, strict=True) if answer is not None
        }
        cut_off = any(result.finish_reason == "length" for result in results)
        finish_reason = "length" if cut_off else results[-1].finish_reason
        if alone is None or not read:
            replies = [result.text for result in results]
            outcome = "truncated" if cut_off else "unparsable"
            return {"outcome": outcome, "replies": replies, "finish_reason": finish_reason}
        return {
            "outcome": "ok",
            "docids": list(read),
            "replies": [alone, *read.values(), *[""] * (len(others) - len(read))],
            "finish_reason": finish_reason,
        }

    def _answers(self, results: Sequence[Completion]) -> list[str | None]:
        return [after_thinking(result.text, thinking=self._thinking) for result in results]
