"""utilsel and utilrank: the passages that help to produce the pseudo-answer, and their order.

utilsel-truth is utilsel with the ground-truth answer instead of the pseudo-answer, and with the whole pool instead of
the relevance selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engines.protocol import Continuation, Failure, LogLikelihood
from ..settings import Annotator
from .items import Item
from .listwise import Listwise
from .pointwise import Likelihoods, best_first, score_column, scores_of
from .prompts import PromptTemplate
from .replies import RANKING, SELECTION
from .shard import Stage


def selection_stage(annotator: Annotator, template: PromptTemplate) -> Stage:
    """utilsel and utilsel-truth, by the annotator's protocol."""
    if annotator.protocol == "listwise":
        return Listwise(annotator, template, SELECTION, needs_answer=True)
    return AnswerGain(template, minimum_gain=annotator.pointwise.minimum_gain)


def ranking_stage(annotator: Annotator, template: PromptTemplate) -> Stage:
    """utilrank, by the annotator's protocol."""
    if annotator.protocol == "listwise":
        return Listwise(annotator, template, RANKING, needs_answer=True)
    return AnswerGain(template, minimum_gain=None)


class AnswerGain(Likelihoods):
    """Pointwise utility: the gain in the answer's mean log-likelihood (nats per token) that a passage brings.

    Args:
        template: the prompt with one passage or none; the answer is the assistant's next turn.
        minimum_gain: select the passages with a greater gain; None ranks all.
    """

    def __init__(self, template: PromptTemplate, *, minimum_gain: float | None) -> None:
        self._template, self._minimum_gain = template, minimum_gain

    def requests(self, item: Item) -> list[Continuation] | Failure:
        """The answer without any passage, then with each."""
        answer = self._template.cleaner.text(item.answer or "")
        if not answer:
            return Failure("there is no answer to judge utility by")
        shown: list[list[str]] = [[], *([passage.text] for passage in item.passages)]
        return [Continuation(self._template.render(query=item.query, passages=texts), answer) for texts in shown]

    def row(self, item: Item, results: Sequence[LogLikelihood]) -> dict[str, Any]:
        """Docids by falling gain, and every shown passage's gain."""
        without, *given = results
        gains = scores_of(item.passages, [result.mean - without.mean for result in given])
        docids = best_first(gains)
        if self._minimum_gain is not None:
            docids = [docid for docid in docids if gains[docid] > self._minimum_gain]
        return {"outcome": "ok" if docids else "empty", "docids": docids, "scores": score_column(gains)}
