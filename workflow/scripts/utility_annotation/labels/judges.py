"""How far the judges of the same questions agree: on passages, and on which retriever is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import InputError
from ..common.files import read_json
from ..common.importing import large_packages
from ..io.label_values import is_ignored, is_positive
from ..io.schemas import LABELS, QRELS
from .agreement import Confusion, krippendorff_alpha
from .settings import PEOPLE, JudgedAlike

with large_packages():
    import pandas as pd

_KEYS = ["query_id", "docid"]


def agreement(
    alike: JudgedAlike, labels: Mapping[str, Path], qrels: Path | None, metrics: Sequence[Path]
) -> dict[str, Any]:
    """What these judges have in common, ready for JSON.

    ``judges`` by test set, ``passages`` that at least two of them judged, Krippendorff's ``alpha`` of all, and for each
    pair (``first``, ``second``) Cohen's ``kappa`` and, by metric, Kendall's tau-b of the retrievers' order (``order``).
    As in label quality, people call a passage irrelevant that they did not judge, if they judged its question. A label
    set does not judge what it ignores.

    Args:
        alike: the judges.
        labels: by label set, its file (schema ``LABELS``).
        qrels: schema ``QRELS``, where people are among the judges.
        metrics: metrics files of retrievers on these test sets.

    Raises:
        InputError: two judges have no passage in common.
    """
    judged = {judge: _of_labels(path) for judge, path in labels.items()}
    if qrels is not None:
        candidates = pd.concat(judged.values()).index.unique() if judged else pd.MultiIndex.from_tuples([])
        grades = QRELS.read(qrels).to_pandas().set_index(_KEYS)["grade"]
        human = (grades >= alike.relevance_level).astype(float)
        asked = candidates[candidates.get_level_values(0).isin(human.index.get_level_values(0))]
        judged[PEOPLE] = human.reindex(asked, fill_value=0.0)
    ratings = pd.DataFrame(judged)
    shared = ratings[ratings.notna().sum(axis=1) > 1]
    figures = _figures(metrics)
    pairs = []
    for (one, first), (other, second) in combinations(alike.judges.items(), 2):
        both = ratings[[first, second]].dropna() > 0
        if both.empty:
            raise InputError(
                f"{first} and {second} judge no passage in common, though test sets {one} and {other} ask the same "
                "questions.",
                hint="let both judge the pool of these questions.",
                path=labels.get(second) or labels.get(first),
            )
        confusion = Confusion.count(both[first].to_numpy(), both[second].to_numpy())
        order = _order(figures.get(one, {}), figures.get(other, {}))
        pairs.append({"first": first, "second": second, "kappa": confusion.kappa, "order": order})
    return {
        "judges": alike.judges,
        "passages": len(shared),
        "alpha": krippendorff_alpha(shared.to_numpy(float).T),
        "pairs": pairs,
    }


def _of_labels(path: Path) -> pd.Series:
    """1 for a positive, 0 for a negative and NaN for what is ignored, by query id and docid."""
    frame = LABELS.read(path, [*_KEYS, "label"]).to_pandas().set_index(_KEYS)
    labels = frame["label"].to_numpy()
    return pd.Series(np.where(is_ignored(labels), np.nan, is_positive(labels)), frame.index)


def _figures(metrics: Sequence[Path]) -> dict[str, dict[str, dict[str, float]]]:
    """By test set, metric and retriever."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for path in metrics:
        each: Any = read_json(path, "backbone", "training", "testset", "metrics")
        for metric, value in each["metrics"].items():
            retriever = f"{each['backbone']}/{each['training']}"
            found.setdefault(each["testset"], {}).setdefault(metric, {})[retriever] = value
    return found


def _order(one: Mapping[str, Mapping[str, float]], other: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    from scipy.stats import kendalltau

    found = {}
    for metric in one:
        retrievers = [name for name in one[metric] if name in other.get(metric, {})]
        if len(retrievers) > 1:
            tau = kendalltau(*([each[metric][name] for name in retrievers] for each in (one, other))).statistic
            if not np.isnan(tau):
                found[metric] = float(tau)
    return found
