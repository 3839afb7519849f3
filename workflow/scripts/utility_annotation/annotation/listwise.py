"""What the listwise stages share: one chat per query and permutation, and docids from the numbers of its reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engines.protocol import Completion, Failure, ReplyRequest
from ..settings import Annotator
from .items import Item
from .prompts import PromptTemplate
from .replies import Reading, ReplyForm
from .votes import shown_order


class Listwise:
    """All passages in one chat; the reply names them by number.

    Args:
        annotator: sampling, thinking, structured outputs and the number of permutations.
        template: the prompt.
        form: the form of the reply, from :mod:`.replies`.
        needs_answer: whether the prompt holds the pseudo-answer or the ground-truth answer.
    """

    votes = True

    def __init__(
        self, annotator: Annotator, template: PromptTemplate, form: ReplyForm, *, needs_answer: bool = False
    ) -> None:
        self._annotator, self._template, self._form = annotator, template, form
        self._needs_answer = needs_answer

    def requests(self, item: Item) -> Sequence[ReplyRequest] | Failure:
        """One chat per permutation, with every passage."""
        if self._needs_answer and not self._template.cleaner.text(item.answer or ""):
            return Failure("there is no answer to judge utility by")
        guide = self._form.guide(len(item.passages)) if self._annotator.structured_outputs else None
        chats = (
            self._template.render(
                query=item.query,
                passages=[passage.text for passage in shown_order(item.query_id, number, item.passages)],
                answer=item.answer,
            )
            for number in range(self._annotator.permutations)
        )
        return [ReplyRequest(chat, self._annotator.sampling, guide) for chat in chats]

    def unreadable(self, item: Item, results: Sequence[Completion | Failure]) -> list[int]:
        """The permutations whose reply is unparsable."""
        readings = self._readings(item, results)
        return [number for number, reading in readings.items() if reading.outcome == "unparsable"]

    def row(self, item: Item, results: Sequence[Completion | Failure]) -> dict[str, Any]:
        """Docids in reply order: an empty list for an empty selection, null if nothing could be read.

        The readable replies of several permutations are merged. If there is none, the outcome of the last reply counts.
        In a ranking, the passages that no reply names follow in the pool's order, and ``named`` counts those before.
        """
        readings = self._readings(item, results)
        read = [
            [shown_order(item.query_id, number, item.passages)[place - 1].docid for place in reading.numbers]
            for number, reading in readings.items()
            if reading.outcome in ("ok", "empty")
        ]
        docids = self._form.merge(read) if read else None
        named = len(docids) if docids and self._form.complete else None
        if docids and named:
            docids += [passage.docid for passage in item.passages if passage.docid not in docids]
        last = [result for result in results if isinstance(result, Completion)][-1]
        return {
            "outcome": [*readings.values()][-1].outcome if docids is None else "ok" if docids else "empty",
            "docids": docids,
            "named": named,
            "replies": [result.text if isinstance(result, Completion) else "" for result in results],
            "finish_reason": last.finish_reason,
        }

    def _readings(self, item: Item, results: Sequence[Completion | Failure]) -> dict[int, Reading]:
        """The reading of each permutation that did not fail, by its number."""
        return {
            number: self._form.read(result, len(item.passages), thinking=self._annotator.thinking)
            for number, result in enumerate(results)
            if isinstance(result, Completion)
        }
