"""utilsel and utilrank: the passages that help to produce the pseudo-answer, and their order.

utilsel-truth is utilsel with the ground-truth answer instead of the pseudo-answer, and with the whole pool instead of
the relevance selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engines.protocol import Continuation, Failure, LogLikelihood
from ..settings import Annotator, Pointwise
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
    return Utility(template, annotator.pointwise, select=True)


def ranking_stage(annotator: Annotator, template: PromptTemplate) -> Stage:
    """utilrank, by the annotator's protocol."""
    if annotator.protocol == "listwise":
        return Listwise(annotator, template, RANKING, needs_answer=True)
    return Utility(template, annotator.pointwise, select=False)


class Utility(Likelihoods):
    """Pointwise utility: does a passage raise the likelihood of the question, and that of the answer?

    The score is the mean log-likelihood of the question given the passage, where a relevance selection gives it, and
    ``gain_weight`` times the gain in the answer's mean log-likelihood that the passage brings (nats per token).
    benchmarks/README.md has the measurements by which it was chosen.

    Args:
        template: the prompt with one passage or none; the answer is the assistant's next turn.
        settings: ``gain_weight``, and ``margin``: how far below the best a selected passage may be.
        select: whether passages are selected; else all are ranked.
    """

    def __init__(self, template: PromptTemplate, settings: Pointwise, *, select: bool) -> None:
        self._template, self._settings, self._select = template, settings, select

    def requests(self, item: Item) -> list[Continuation] | Failure:
        """The answer without any passage, then with each."""
        answer = self._template.cleaner.text(item.answer or "")
        if not answer:
            return Failure("there is no answer to judge utility by")
        shown: list[list[str]] = [[], *([passage.text] for passage in item.passages)]
        return [Continuation(self._template.render(query=item.query, passages=texts), answer) for texts in shown]

    def row(self, item: Item, results: Sequence[LogLikelihood]) -> dict[str, Any]:
        """Docids by falling score, and every shown passage's score."""
        without, *given = results
        gains = scores_of(item.passages, [result.mean - without.mean for result in given])
        relevance = item.relevance or dict.fromkeys(gains, 0.0)
        scores = {docid: relevance[docid] + self._settings.gain_weight * gain for docid, gain in gains.items()}
        docids = best_first(scores)
        if self._select:
            docids = [docid for docid in docids if scores[docid] >= scores[docids[0]] - self._settings.margin]
        return {"outcome": "ok", "docids": docids, "scores": score_column(scores)}
