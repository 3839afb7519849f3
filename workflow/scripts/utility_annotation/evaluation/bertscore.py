"""BERTScore (Zhang et al., 2020), computed by its authors' package on a prepared model folder."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import InputError
from ..common.progress import Progress

logger = logging.getLogger(__name__)

_PAIRS = 4096
"""Pairs of answer and reference whose token vectors are in memory at a time."""


def bert_score(
    answers: Sequence[str], references: Sequence[Sequence[str]], folder: Path, *, layer: int, device: str
) -> np.ndarray:
    """F1 of BERTScore, without idf weights and without rescaling; the best reference counts; shape (answers,).

    A blank answer scores 0; the package itself fails on one.

    Args:
        answers: one per question.
        references: at least one per question.
        folder: a prepared model folder.
        layer: the layer whose vectors are compared; 0 is the embeddings.
        device: ``cpu`` or ``cuda``.

    Raises:
        InputError: the model has no such layer.
    """
    pairs = [
        (place, answer, reference)
        for place, (answer, known) in enumerate(zip(answers, references, strict=True))
        for reference in known
        if answer.strip() and reference.strip()
    ]
    scores = np.zeros(len(answers))
    if not pairs:
        return scores
    from bert_score.utils import bert_cos_score_idf

    model, tokenizer = _load(folder, layer)
    model.to(device)
    weights = defaultdict(lambda: 1.0, {tokenizer.cls_token_id: 0.0, tokenizer.sep_token_id: 0.0})
    progress = Progress("BERTScore", len(pairs), "pairs")
    for start in range(0, len(pairs), _PAIRS):
        places, answer_texts, reference_texts = map(list, zip(*pairs[start : start + _PAIRS], strict=True))
        figures = bert_cos_score_idf(model, reference_texts, answer_texts, tokenizer, weights, device=device)
        np.maximum.at(scores, places, figures[:, 2].numpy())
        progress.add(len(places))
    return scores


def _load(folder: Path, layer: int) -> tuple[Any, Any]:
    """The model, cut after ``layer``, and its tokenizer.

    The package's own loading of tokenizers is not used: with current tokenizers it omits the space that RoBERTa's needs
    before the first word, and it fails if a tokenizer states no limit.
    """
    from bert_score.utils import get_model
    from transformers import AutoTokenizer

    try:
        model = get_model(str(folder), layer).float()
    except AssertionError as error:
        raise InputError(f"{error}.", hint="correct `bert_score.layer`.", path=folder) from None
    tokenizer = AutoTokenizer.from_pretrained(
        folder, add_prefix_space=True, local_files_only=True, trust_remote_code=False
    )
    positions = getattr(model.config, "max_position_embeddings", 512)
    if "roberta" in model.config.model_type:  # its first position is the one after the padding token's id
        positions -= model.config.pad_token_id + 1
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    return model, tokenizer
