"""The metrics of answers, one entry per metric.

A metric loads its packages when it is computed, so that reading names does not need them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from . import squad
from .bleu_counts import BLEU_COUNTS

if TYPE_CHECKING:
    import numpy as np

    from .msmarco_qa import Bleu


@dataclass(frozen=True)
class BertScoreEncoder:
    """The encoder of BERTScore: see :func:`~utility_annotation.evaluation.bertscore.bert_score`."""

    folder: Path
    layer: int
    device: str


class Scores(NamedTuple):
    """The result of a metric.

    Attributes:
        values: one per question.
        figure: the value for all questions; None if it is the mean of ``values``.
        counts: by name, one per question: what ``figure`` is computed from.
    """

    values: Sequence[float] | np.ndarray
    figure: float | None = None
    counts: Mapping[str, np.ndarray] = MappingProxyType({})


@dataclass(frozen=True)
class Answered:
    """Answered questions. What several metrics need is computed once.

    Attributes:
        answers: one per question.
        references: the ground-truth answers, at least one per question.
        encoder: for a metric that needs it.
    """

    answers: Sequence[str]
    references: Sequence[Sequence[str]]
    encoder: BertScoreEncoder | None = None

    @cached_property
    def words(self) -> tuple[list[str], list[list[str]]]:
        """Answers and references as the MS MARCO QA scorer's words."""
        from .msmarco_qa import tokenise

        return tokenise(self.answers), [tokenise(several) for several in self.references]

    @cached_property
    def bleus(self) -> list[Bleu]:
        """BLEU-1 to BLEU-4."""
        from .msmarco_qa import bleu

        return bleu(*self.words)


class Pooled(NamedTuple):
    """How a figure follows from sums over questions.

    Attributes:
        counts: names of the counts.
        figure: takes sums in the order of ``counts``, shape (..., counts), and returns the figures.
    """

    counts: tuple[str, ...]
    figure: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class AnswerMetric:
    """A metric of answers.

    Attributes:
        function: computes it; every value is from 0 to 1.
        label: the name in tables and figures.
        description: for the reference of the configuration.
        needs_encoder: whether it compares by an encoder, which ``bert_score`` of the setting names.
        pooled: for a figure that is no mean over questions; differences are then tested by a paired bootstrap.
    """

    function: Callable[[Answered], Scores]
    label: str
    description: str
    needs_encoder: bool = False
    pooled: Pooled | None = None


def values_of(metric: str, answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """The values of a metric that needs no encoder, one per answer; ``references`` as in :class:`Answered`."""
    import numpy as np

    return np.asarray(ANSWER_METRICS[metric].function(Answered(answers, references)).values)


def _each(function: Callable[[str, Sequence[str]], float], answered: Answered) -> Scores:
    return Scores([function(*pair) for pair in zip(answered.answers, answered.references, strict=True)])


def _has_answer(answered: Answered) -> Scores:
    from .answer_match import AnswerMatcher

    pairs = zip(answered.answers, answered.references, strict=True)
    return Scores([float(AnswerMatcher(references).is_in(answer)) for answer, references in pairs])


def _bleu(order: int, answered: Answered) -> Scores:
    bleu = answered.bleus[order - 1]
    return Scores(bleu.sentences, bleu.corpus, bleu.counts)


def _bleu_of_counts(order: int, sums: np.ndarray) -> np.ndarray:
    from .msmarco_qa import bleu_of_counts

    return bleu_of_counts(order, sums)


def _pooled_bleu(order: int) -> Pooled:
    return Pooled(BLEU_COUNTS, partial(_bleu_of_counts, order))


def _rouge_l(answered: Answered) -> Scores:
    from .msmarco_qa import rouge_l

    return Scores(rouge_l(*answered.words))


def _bert_score(answered: Answered) -> Scores:
    from .bertscore import bert_score

    encoder = answered.encoder
    assert encoder is not None, "bert-score needs an encoder"
    return Scores(
        bert_score(answered.answers, answered.references, encoder.folder, layer=encoder.layer, device=encoder.device)
    )


ANSWER_METRICS: dict[str, AnswerMetric] = {
    "em": AnswerMetric(
        function=partial(_each, squad.exact_match),
        label="EM",
        description="exact match, SQuAD's",
    ),
    "f1": AnswerMetric(
        function=partial(_each, squad.f1),
        label="F1",
        description="F1 of the words, SQuAD's",
    ),
    "has-answer": AnswerMetric(
        function=_has_answer,
        label="Has answer",
        description="whether it has all words of a ground-truth answer in a row, as DPR looks for them",
    ),
    "bleu-1": AnswerMetric(
        function=partial(_bleu, 1),
        label="BLEU-1",
        description="BLEU of single words, by the official MS MARCO QA scorer",
        pooled=_pooled_bleu(1),
    ),
    "bleu-2": AnswerMetric(
        function=partial(_bleu, 2),
        label="BLEU-2",
        description="BLEU of up to 2 words in a row, by the official MS MARCO QA scorer",
        pooled=_pooled_bleu(2),
    ),
    "bleu-3": AnswerMetric(
        function=partial(_bleu, 3),
        label="BLEU-3",
        description="BLEU of up to 3 words in a row, by the official MS MARCO QA scorer",
        pooled=_pooled_bleu(3),
    ),
    "bleu-4": AnswerMetric(
        function=partial(_bleu, 4),
        label="BLEU-4",
        description="BLEU of up to 4 words in a row, by the official MS MARCO QA scorer",
        pooled=_pooled_bleu(4),
    ),
    "rouge-l": AnswerMetric(
        function=_rouge_l,
        label="ROUGE-L",
        description="longest common subsequence of words, by the official MS MARCO QA scorer",
    ),
    "bert-score": AnswerMetric(
        function=_bert_score,
        label="BERTScore",
        description="BERTScore's F1, by the encoder `bert_score`",
        needs_encoder=True,
    ),
}
"""By the name in ``qa.*.metrics``."""
