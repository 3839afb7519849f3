"""replug: a passage's utility is the log-likelihood of the ground-truth answer given the query and that one passage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engines.protocol import Continuation, Failure, LogLikelihood
from ..settings import Annotator
from .items import Item
from .pointwise import Likelihoods, score_column, scores_of
from .prompts import PromptTemplate
from .shard import Stage


def replug_stage(annotator: Annotator, template: PromptTemplate) -> Stage:
    """The stage, the same under every protocol."""
    return ReplugStage(template)


class ReplugStage(Likelihoods):
    """Scores the whole pool; the scores are sums over the answer's tokens, in nats.

    Args:
        template: the prompt with one passage, after which the answer is the assistant's turn.
    """

    def __init__(self, template: PromptTemplate) -> None:
        self._template = template

    def requests(self, item: Item) -> list[Continuation] | Failure:
        """The answer after each passage."""
        answer = self._template.cleaner.text(item.answer or "")
        if not answer:
            return Failure("there is no ground-truth answer")
        return [
            Continuation(self._template.render(query=item.query, passages=[passage.text]), answer)
            for passage in item.passages
        ]

    def row(self, item: Item, results: Sequence[LogLikelihood]) -> dict[str, Any]:
        """One score per candidate, and no selection."""
        scores = scores_of(item.passages, [result.total for result in results])
        return {"outcome": "ok", "scores": score_column(scores)}
