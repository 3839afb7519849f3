"""Answers against ground truth: every metric of question answering, in all and question by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..common.errors import InputError
from ..io.schemas import PER_QUERY
from . import msmarco_qa, squad
from .bertscore import bert_score

METRICS = ("em", "f1", *(f"bleu-{order}" for order in range(1, msmarco_qa.MAX_ORDER + 1)), "rouge-l", "bert-score")


@dataclass(frozen=True)
class Encoder:
    """What BERTScore needs: see :func:`~utility_annotation.evaluation.bertscore.bert_score`."""

    folder: Path
    layer: int
    device: str


@dataclass(frozen=True)
class AnswerEvaluation:
    """Metrics of answers, all from 0 to 1.

    Attributes:
        query_ids: every question that has a ground-truth answer.
        values: by metric, one value a question; shape (questions,). For bleu-n it is the BLEU of the question alone.
        figures: by metric, the value for all questions: the mean of ``values``, but for bleu-n the corpus BLEU, which
            is not their mean.
    """

    query_ids: list[str]
    values: dict[str, np.ndarray]
    figures: dict[str, float]

    def per_query(self) -> pa.Table:
        """A table of schema ``PER_QUERY``."""
        return PER_QUERY.rows(
            [
                {"query_id": query_id, "metric": metric, "value": value}
                for metric, values in self.values.items()
                for query_id, value in zip(self.query_ids, values.tolist(), strict=True)
            ]
        )


def evaluate_answers(
    references: Mapping[str, Sequence[str]],
    answers: Mapping[str, str | None],
    metrics: Sequence[str],
    encoder: Encoder | None = None,
) -> AnswerEvaluation:
    """Evaluate one answer a question.

    Args:
        references: ground-truth answers, as :func:`~utility_annotation.io.answers.read_references` gives them.
        answers: by query id; None where answering failed, which scores 0 by every metric (and counts as an empty
            answer in the corpus BLEU).
        metrics: some of ``METRICS``: em and f1 are SQuAD's, bleu-n and rouge-l the MS MARCO QA scorer's.
        encoder: needed for bert-score.

    Raises:
        InputError: an unknown metric, a question without an entry among the answers, or no question at all.
    """
    if unknown := [metric for metric in metrics if metric not in METRICS]:
        raise InputError(f"{unknown[0]!r} is no metric of answers.", hint=f"use some of {', '.join(METRICS)}.")
    if not references:
        raise InputError("no question has a ground-truth answer.", hint="name a split that has some.")
    if missing := [query_id for query_id in references if query_id not in answers]:
        raise InputError(
            f"there is no answer to question {missing[0]!r}, not even a failed one.",
            hint="make the answers anew from the same split.",
        )
    query_ids = list(references)
    known = [list(references[query_id]) for query_id in query_ids]
    given = [answers[query_id] for query_id in query_ids]
    failed = np.array([answer is None for answer in given])
    texts = [answer or "" for answer in given]
    values: dict[str, np.ndarray] = {}
    figures: dict[str, float] = {}
    if "em" in metrics:
        values["em"] = np.array([squad.exact_match(*pair) for pair in zip(texts, known, strict=True)])
    if "f1" in metrics:
        values["f1"] = np.array([squad.f1(*pair) for pair in zip(texts, known, strict=True)])
    if any(metric.startswith(("bleu", "rouge")) for metric in metrics):
        answer_words = msmarco_qa.tokenise(texts)
        reference_words = [msmarco_qa.tokenise(several) for several in known]
        for order, bleu in enumerate(msmarco_qa.bleu(answer_words, reference_words), start=1):
            values[f"bleu-{order}"], figures[f"bleu-{order}"] = bleu.sentences, bleu.corpus
        values["rouge-l"] = msmarco_qa.rouge_l(answer_words, reference_words)
    if "bert-score" in metrics:
        assert encoder is not None, "bert-score needs an encoder"
        values["bert-score"] = bert_score(texts, known, encoder.folder, layer=encoder.layer, device=encoder.device)
    values = {metric: np.where(failed, 0.0, values[metric]) for metric in metrics}
    return AnswerEvaluation(
        query_ids, values, {metric: figures.get(metric, float(each.mean())) for metric, each in values.items()}
    )
