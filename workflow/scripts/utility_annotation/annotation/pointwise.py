"""What the stages that ask for likelihoods share: scores in the row, and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .items import Item, Passage


class Likelihoods:
    """Base of the stages that ask for likelihoods, which are always readable."""

    votes = False

    def unreadable(self, item: Item, results: Sequence[Any]) -> list[int]:
        """None."""
        return []


def score_column(scores: Mapping[str, float]) -> list[dict[str, object]]:
    """Scores by docid as the schema's column."""
    return [{"docid": docid, "score": score} for docid, score in scores.items()]


def scores_of(passages: Sequence[Passage], values: Sequence[float]) -> dict[str, float]:
    """One value per passage, by docid, in the passages' order."""
    return {passage.docid: value for passage, value in zip(passages, values, strict=True)}


def best_first(scores: Mapping[str, float]) -> list[str]:
    """Docids by falling score; equal scores keep the order in which the passages were shown."""
    return sorted(scores, key=lambda docid: -scores[docid])
