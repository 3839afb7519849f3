"""Metrics of question answering, over all questions and per question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..common.errors import InputError
from ..io.schemas import PER_QUERY
from ..settings import entry
from .answer_metrics import ANSWER_METRICS, Answered, BertScoreEncoder


@dataclass(frozen=True)
class AnswerEvaluation:
    """Metrics of answers, all from 0 to 1.

    Attributes:
        query_ids: every question that has a ground-truth answer.
        values: by metric, one value per question; shape (questions,).
        figures: by metric, the value for all questions: the mean of ``values``, or for BLEU the corpus BLEU.
        counts: by name, one per question: what figures that are no mean are computed from.
    """

    query_ids: list[str]
    values: dict[str, np.ndarray]
    figures: dict[str, float]
    counts: dict[str, np.ndarray]

    def per_query(self) -> pa.Table:
        """A table of schema ``PER_QUERY``: the values of each metric, and the counts."""
        return PER_QUERY.rows(
            [
                {"query_id": query_id, "metric": metric, "value": value}
                for metric, values in (self.values | self.counts).items()
                for query_id, value in zip(self.query_ids, values.tolist(), strict=True)
            ]
        )


def evaluate_answers(
    references: Mapping[str, Sequence[str]],
    answers: Mapping[str, str | None],
    metrics: Sequence[str],
    encoder: BertScoreEncoder | None = None,
) -> AnswerEvaluation:
    """Evaluate one answer per question.

    Args:
        references: ground-truth answers, as :func:`~utility_annotation.io.answers.read_references` gives them.
        answers: by query id; None if answering failed, which scores 0 in every metric and is an empty answer in the
            corpus BLEU.
        metrics: some of :data:`~.answer_metrics.ANSWER_METRICS`.
        encoder: for a metric that needs it.

    Raises:
        InputError: an unknown metric, a question without an entry among the answers, or no question at all.
    """
    chosen = {metric: entry(ANSWER_METRICS, metric, "metric of answers") for metric in metrics}
    if not references:
        raise InputError("no question has a ground-truth answer.", hint="name a split that has some.")
    if missing := [query_id for query_id in references if query_id not in answers]:
        raise InputError(
            f"there is no answer to question {missing[0]!r}, not even a failed one.",
            hint="delete the answers and run their target again on this split.",
        )
    query_ids = list(references)
    known = [list(references[query_id]) for query_id in query_ids]
    given = [answers[query_id] for query_id in query_ids]
    failed = np.array([answer is None for answer in given])
    texts = [answer or "" for answer in given]
    answered = Answered(texts, known, encoder)
    values: dict[str, np.ndarray] = {}
    figures: dict[str, float] = {}
    counts: dict[str, np.ndarray] = {}
    for metric, chosen_metric in chosen.items():
        scores = chosen_metric.function(answered)
        values[metric] = np.where(failed, 0.0, np.asarray(scores.values))
        figures[metric] = float(values[metric].mean()) if scores.figure is None else scores.figure
        counts |= scores.counts
    return AnswerEvaluation(query_ids, values, figures, counts)
