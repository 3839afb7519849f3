"""What the listwise stages share: one chat a query and pass, and docids from the numbers of its reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..configuration import Annotator
from .items import Item
from .prompts import PromptTemplate
from .protocol import Completion, Failure, ReplyRequest
from .replies import Form, Reading
from .votes import shown_order


class Listwise:
    """All passages in one chat; the reply names them by number.

    Args:
        annotator: sampling, thinking, guided decoding and the number of passes.
        template: the prompt.
        form: the form of the reply, from :mod:`.replies`.
        needs_answer: whether the prompt holds the pseudo-answer or the ground-truth answer.
    """

    def __init__(
        self, annotator: Annotator, template: PromptTemplate, form: Form, *, needs_answer: bool = False
    ) -> None:
        self._annotator, self._template, self._form = annotator, template, form
        self._needs_answer = needs_answer

    def requests(self, item: Item) -> Sequence[ReplyRequest] | Failure:
        """One chat a pass, with every passage."""
        if self._needs_answer and not self._template.cleaner.text(item.answer or ""):
            return Failure("there is no answer to judge utility by")
        guide = self._form.guide(len(item.passages)) if self._annotator.guided else None
        chats = (
            self._template.render(
                query=item.query,
                passages=[passage.text for passage in shown_order(item.query_id, number, item.passages)],
                answer=item.answer,
            )
            for number in range(self._annotator.passes)
        )
        return [ReplyRequest(chat, self._annotator.sampling, guide) for chat in chats]

    def unreadable(self, item: Item, results: Sequence[Completion]) -> list[int]:
        """The passes whose reply is unparsable."""
        return [place for place, reading in enumerate(self._readings(item, results)) if reading.outcome == "unparsable"]

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """Docids in reply order: none (empty list) for an empty selection, null where nothing was read.

        Of several passes those that can be read are merged; where none can, the last one's outcome counts.
        """
        readings = self._readings(item, results)
        read = [
            [shown_order(item.query_id, number, item.passages)[place - 1].docid for place in reading.numbers]
            for number, reading in enumerate(readings)
            if reading.outcome in ("ok", "empty")
        ]
        docids = self._form.merge(read) if read else None
        return {
            "outcome": readings[-1].outcome if docids is None else "ok" if docids else "empty",
            "docids": docids,
            "replies": [result.text for result in results],
            "finish_reason": results[-1].finish_reason,
        }

    def _readings(self, item: Item, results: Sequence[Completion]) -> list[Reading]:
        thinking = self._annotator.thinking
        return [self._form.read(result, len(item.passages), thinking=thinking) for result in results]
