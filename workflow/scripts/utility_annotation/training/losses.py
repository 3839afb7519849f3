"""Losses over a query's positives.

Notation, for one query q: s(d) is the score of passage d; D+ are its positives, D- its negatives (its own and those of
the other queries of the batch, over all devices); P(d) = exp s(d) / sum of exp s over D+ and D-. A passage in neither
set, such as one that the labels ignore for q, is outside the softmax and has no gradient from q. All losses use fp32
(or the scores' wider type) and log-sum-exp, so that a positive of small probability keeps its gradient.

Every function takes scores (Q, P) and boolean masks (Q, P), and returns the mean over the queries that have a positive.
A query without a positive adds no term. If no query has one, the loss and its gradient are 0.

The module imports no torch until a loss is computed, so that checking a configuration does not need it.

Sources: Zhang et al., Utility-Focused LLM Annotation (EMNLP 2025), for all but ``lsepair``, which is from Wang et al.,
Training Dense Retrievers with Multiple Positive Passages (arXiv 2602.12727); ``kl`` is REPLUG's (Shi et al., 2024),
``listnet`` is from Cao et al. (2007), ``lambdaloss`` from Wang et al., The LambdaLoss Framework (2018), equation 21.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """A loss.

    Attributes:
        function: takes scores, positives and negatives; one that is graded, the grades too; for soft labels, scores,
            drawn passages and labels.
        description: one line for the reference of the configuration.
        positives: ``several``: as many as the training draws; else a single one, and which: ``human``, one of the human
            positives; ``first``, the one that the labels list first; ``random``, any.
        soft_labels: whether labels are scores of every candidate, not judgements.
        graded: whether it tells the grades of positives apart; others take every positive for the same.
    """

    function: Callable[..., Tensor]
    description: str
    positives: Literal["several", "human", "first", "random"] = "several"
    soft_labels: bool = False
    graded: bool = False


def single_lh(scores: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """-log P(d+) with one positive per query: ``singlelh``, ``first1lh`` and ``rand1lh`` draw it differently.

    Raises:
        ValueError: a query has more than one positive.
    """
    if (positives.sum(dim=1) > 1).any():
        raise ValueError("a loss over a single positive was given a query with several")
    return sum_marg_lh(scores, positives, negatives)


def joint_lh(scores: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """``jointlh``: -sum of log P(d+) over D+."""
    scores, positives, negatives = _contributing(scores, positives, negatives)
    log_all = _logsumexp(scores, positives | negatives)
    return _mean(((log_all.unsqueeze(1) - scores) * positives).sum(dim=1), scores)


def sum_marg_lh(scores: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """``summarglh``: -log of the sum of P(d+) over D+ = logsumexp(D+ and D-) - logsumexp(D+)."""
    scores, positives, negatives = _contributing(scores, positives, negatives)
    return _mean(_logsumexp(scores, positives | negatives) - _logsumexp(scores, positives), scores)


def lse_pair(scores: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """``lsepair``: log(1 + sum over d- and d+ of exp(s(d-) - s(d+))).

    The double sum is a product of two sums, so the loss is softplus(logsumexp(s over D-) + logsumexp(-s over D+)).
    """
    scores, positives, negatives = _contributing(scores, positives, negatives)
    from torch.nn.functional import softplus

    margin = _logsumexp(scores, negatives) + _logsumexp(-scores, positives)
    return _mean(softplus(margin), scores)


def kl(scores: Tensor, drawn: Tensor, answer_log_likelihoods: Tensor) -> Tensor:
    """``kl``: KL(softmax of the answer log-likelihoods || softmax of the scores), over a query's drawn passages.

    Args:
        scores: (Q, P).
        drawn: boolean (Q, P), the passages drawn from the query's own pool.
        answer_log_likelihoods: (Q, P), already divided by their temperature; read only at ``drawn``.
    """
    scores, drawn, answers = _contributing(scores, drawn, answer_log_likelihoods)
    answers = answers.to(scores.dtype)
    log_target = answers - _logsumexp(answers, drawn).unsqueeze(1)
    log_model = scores - _logsumexp(scores, drawn).unsqueeze(1)
    terms = (log_target.masked_fill(~drawn, 0).exp() * (log_target - log_model)).masked_fill(~drawn, 0)
    return _mean(terms.sum(dim=1), scores)


def binary_cross_entropy(scores: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """``bce``: the mean over D+ and D- of -log sigmoid(s(d+)) and -log(1 - sigmoid(s(d-)))."""
    scores, positives, negatives = _contributing(scores, positives, negatives)
    from torch.nn.functional import softplus

    terms = softplus(scores.where(negatives, -scores)).masked_fill(~(positives | negatives), 0)
    return _mean(terms.sum(dim=1) / (positives | negatives).sum(dim=1), scores)


def list_net(scores: Tensor, positives: Tensor, negatives: Tensor, grades: Tensor | None = None) -> Tensor:
    """``listnet``: the cross-entropy of P from the softmax of the labels: the grade, or 1, in D+ and 0 in D-."""
    scores, positives, negatives, labels = _graded(scores, positives, negatives, grades)
    drawn = positives | negatives
    target = (labels - _logsumexp(labels, drawn).unsqueeze(1)).exp()
    terms = target * (_logsumexp(scores, drawn).unsqueeze(1) - scores)
    return _mean(terms.masked_fill(~drawn, 0).sum(dim=1), scores)


def lambda_loss(scores: Tensor, positives: Tensor, negatives: Tensor, grades: Tensor | None = None) -> Tensor:
    """``lambdaloss``: NDCG-Loss2++, the mean over pairs of a better and a worse passage of w log2(1 + exp(s- - s+)).

    s+ is the score of the better one, which is of D+, and s- that of the worse one. A positive is better than a
    negative, and than a positive of a lower grade. The gain G of a passage is 2 to the power of its grade, minus 1; so
    it is 1 in D+ without grades, and 0 in D-. With the ranks i and j of the two among D+ and D- by score,
    D(i) = log2(1 + i), and Z the best DCG of the query,
    w = (G+ - G-) (|1/D(i) - 1/D(j)| + 10 |1/D(|i-j|) - 1/D(|i-j| + 1)|) / Z. No gradient goes through w.
    """
    scores, positives, negatives, labels = _graded(scores, positives, negatives, grades)
    import torch
    from torch.nn.functional import softplus

    hidden = scores.detach().masked_fill(~(positives | negatives), -math.inf)
    ranks = hidden.argsort(dim=1, descending=True, stable=True).argsort(dim=1) + 1.0
    discounts = 1 / torch.log2(1 + ranks)
    gains = torch.exp2(labels) - 1
    number = torch.arange(1, scores.shape[1] + 1, device=scores.device)
    best = (gains.sort(dim=1, descending=True).values / torch.log2(1.0 + number)).sum(dim=1)
    apart = (ranks.unsqueeze(2) - ranks.unsqueeze(1)).abs().clamp(min=1)
    step = 1 / torch.log2(1 + apart) - 1 / torch.log2(2 + apart)
    ordered = (discounts.unsqueeze(2) - discounts.unsqueeze(1)).abs() + _STEP_WEIGHT * step
    gained = gains.unsqueeze(2) - gains.unsqueeze(1)
    weights = gained * ordered / best.view(-1, 1, 1)
    pairs = positives.unsqueeze(2) & (positives | negatives).unsqueeze(1) & (gained > 0)
    terms = weights * softplus(scores.unsqueeze(1) - scores.unsqueeze(2)) / math.log(2)
    return _mean(terms.masked_fill(~pairs, 0).sum(dim=(1, 2)) / pairs.sum(dim=(1, 2)).clamp(min=1), scores)


_STEP_WEIGHT = 10.0
"""The weight of a step of one rank in NDCG-Loss2++, as its authors set it."""

LOSSES: dict[str, Loss] = {
    "singlelh": Loss(
        function=single_lh,
        description="negative log-likelihood of one human positive",
        positives="human",
    ),
    "first1lh": Loss(
        function=single_lh,
        description="negative log-likelihood of the positive that is listed first (by an LLM in its reply, by humans "
        "in their data, by a file in its lines)",
        positives="first",
    ),
    "rand1lh": Loss(
        function=single_lh,
        description="negative log-likelihood of one random positive",
        positives="random",
    ),
    "jointlh": Loss(
        function=joint_lh,
        description="sum of the negative log-likelihoods of all drawn positives",
    ),
    "summarglh": Loss(
        function=sum_marg_lh,
        description="negative log of the summed likelihoods of all drawn positives",
    ),
    "lsepair": Loss(
        function=lse_pair,
        description="log of one plus the summed exponential margins of all pairs of a negative and a positive",
    ),
    "bce": Loss(
        function=binary_cross_entropy,
        description="binary cross-entropy of each drawn passage by itself",
    ),
    "listnet": Loss(
        function=list_net,
        description="cross-entropy of the softmax of the scores from the softmax of the labels, by their grades",
        graded=True,
    ),
    "lambdaloss": Loss(
        function=lambda_loss,
        description="pairs of a better and a worse passage by their grades, each weighted by what it matters to nDCG",
        graded=True,
    ),
    "kl": Loss(
        function=kl,
        description="KL divergence of the scores from the likelihoods of the answer, over all drawn candidates",
        soft_labels=True,
    ),
}
"""By the name in ``trainings.*.loss``."""


def _graded(
    scores: Tensor, positives: Tensor, negatives: Tensor, grades: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As :func:`_contributing`, with labels: the grades of the positives, 1 without grades; 0 elsewhere."""
    labels = positives.to(scores.dtype) if grades is None else grades
    scores, positives, negatives, labels = _contributing(scores, positives, negatives, labels)
    return scores, positives, negatives, labels.to(scores.dtype) * positives


def _contributing(scores: Tensor, positives: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """The rows of queries that have a positive; scores at least fp32."""
    import torch

    rows = positives.any(dim=1)
    return tuple(
        matrix[rows] for matrix in (scores.to(torch.promote_types(scores.dtype, torch.float32)), positives, *others)
    )


def _logsumexp(scores: Tensor, mask: Tensor) -> Tensor:
    """Log-sum-exp over a set; for an empty set a very low but finite number, since -inf has no gradient."""
    import torch

    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min / 4).logsumexp(dim=1)


def _mean(terms: Tensor, scores: Tensor) -> Tensor:
    return terms.mean() if len(terms) else scores.sum()
