"""What the listwise stages share: one chat a query, and docids from the numbers of its reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..configuration import Annotator
from .prompts import PromptTemplate
from .protocol import Chat, Completion, Failure
from .replies import Reading
from .shard import Item


class Listwise:
    """All passages in one chat; the reply names them by number.

    Args:
        annotator: sampling and thinking.
        template: the prompt.
        read: the reader of the reply's form, from :mod:`.replies`.
        needs_answer: whether the prompt holds the pseudo-answer.
    """

    def __init__(
        self,
        annotator: Annotator,
        template: PromptTemplate,
        read: Callable[..., Reading],
        *,
        needs_answer: bool = False,
    ) -> None:
        self.sampling = annotator.sampling
        self._thinking, self._template, self._read = annotator.thinking, template, read
        self._needs_answer = needs_answer

    def requests(self, item: Item) -> Sequence[Chat] | Failure:
        """One chat with every passage."""
        if self._needs_answer and item.answer is None:
            return Failure("there is no pseudo-answer to judge utility by")
        return [
            self._template.render(
                query=item.query, passages=[passage.text for passage in item.passages], answer=item.answer
            )
        ]

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """Docids in reply order: none (empty list) for an empty selection, null where nothing was read."""
        (completion,) = results
        reading = self._read(completion, len(item.passages), thinking=self._thinking)
        read = reading.outcome in ("ok", "empty")
        return {
            "outcome": reading.outcome,
            "docids": [item.passages[number - 1].docid for number in reading.numbers] if read else None,
            "reply": completion.text,
            "finish_reason": completion.finish_reason,
        }
