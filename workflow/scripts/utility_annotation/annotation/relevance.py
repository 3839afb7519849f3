"""relsel: selects the topically relevant passages of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

from ..engines.protocol import Continuation, LogLikelihood
from ..settings import Annotator
from .items import Item
from .listwise import Listwise
from .pointwise import Likelihoods, best_first, score_column, scores_of
from .prompts import PromptTemplate
from .replies import SELECTION
from .shard import Stage


def relevance_stage(annotator: Annotator, template: PromptTemplate) -> Stage:
    """The stage, by the annotator's protocol."""
    if annotator.protocol == "listwise":
        return Listwise(annotator, template, SELECTION)
    return QuestionLikelihood(annotator.pointwise.relevant_percent, template)


class QuestionLikelihood(Likelihoods):
    """Pointwise relevance: the mean log-likelihood (nats per token) of the question given the passage.

    Args:
        relevant_percent: the best floor(percent/100 · n) of the pool's n passages are selected, at least one.
        template: the prompt; the question is the assistant's next turn.
    """

    def __init__(self, relevant_percent: float, template: PromptTemplate) -> None:
        self._percent, self._template = relevant_percent, template

    def requests(self, item: Item) -> list[Continuation]:
        """One continuation per passage."""
        question = self._template.cleaner.text(item.query)
        return [
            Continuation(self._template.render(query=item.query, passages=[passage.text]), question)
            for passage in item.passages
        ]

    def row(self, item: Item, results: Sequence[LogLikelihood]) -> dict[str, Any]:
        """The selected docids, best first, and every passage's score."""
        scores = scores_of(item.passages, [result.mean for result in results])
        kept = max(1, floor(self._percent * len(scores) / 100))
        return {"outcome": "ok", "docids": best_first(scores)[:kept], "scores": score_column(scores)}
