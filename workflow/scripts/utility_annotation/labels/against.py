"""How far a label set agrees with another one, such as a cascade with the full annotation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ..common.bootstrap import draws, interval
from ..common.errors import InputError
from ..io.label_values import is_ignored, is_positive
from ..io.schemas import LABELS
from .agreement import Confusion


def agreement_of_labels(labels: Path, against: Path) -> dict[str, Any]:
    """Agreement of two label sets on the candidates that both call positive or negative, ready for JSON.

    Returns:
        ``questions`` that both label, ``passages`` that both call positive or negative, and ``ignored``: how many more
        both label, of which one ignores; ``kappa`` (Cohen's) with its 95 % interval, a bootstrap over
        questions; ``precision`` and ``recall`` of the other's positives, in percent; ``sources``: how many of the
        questions each source of the first labels decided. A figure is null where it is not defined.

    Raises:
        InputError: they have no candidate in common.
    """
    keys = ["query_id", "docid"]
    own = LABELS.read(labels, [*keys, "label", "source"])
    other = LABELS.read(against, [*keys, "label"]).rename_columns([*keys, "other"])
    both = own.join(other, keys, join_type="inner").sort_by([("query_id", "ascending"), ("docid", "ascending")])
    if not both.num_rows:
        raise InputError(
            f"{labels.stem!r} and {against.stem!r} label no candidate in common.",
            hint="compare label sets of one pool, or of parts of it.",
            path=labels,
        )
    labelled = [both[name].to_numpy() for name in ("label", "other")]
    judged = ~(is_ignored(labelled[0]) | is_ignored(labelled[1]))
    ours, theirs = (is_positive(each[judged]) for each in labelled)
    names = both["query_id"].unique()
    questions = pc.index_in(both["query_id"], value_set=names).to_numpy()
    first = np.unique(questions, return_index=True)[1]
    found = Confusion.count(ours, theirs)
    marked, wanted = found.both + found.llm_only, found.both + found.human_only
    sources = pc.value_counts(both["source"].take(first)).to_pylist()
    return {
        "labels": labels.stem,
        "against": against.stem,
        "questions": len(names),
        "passages": len(ours),
        "ignored": both.num_rows - len(ours),
        "kappa": found.kappa,
        "kappa_interval": _interval(ours, theirs, questions[judged], len(names)),
        "precision": 100 * found.both / marked if marked else None,
        "recall": 100 * found.both / wanted if wanted else None,
        "sources": {each["values"]: each["counts"] for each in sources},
    }


def _interval(ours: np.ndarray, theirs: np.ndarray, questions: np.ndarray, number: int) -> list[float] | None:
    """Bounds of kappa over resamples of the questions; None if no resample defines it."""
    kinds = np.stack([ours & theirs, ours & ~theirs, ~ours & theirs, ~ours & ~theirs], axis=1)
    counts = np.stack([np.bincount(questions, weights=kind, minlength=number) for kind in kinds.T], axis=1)
    kappas = [Confusion(*map(int, row)).kappa for row in np.rint(draws(number) @ counts)]
    known = [kappa for kappa in kappas if kappa is not None]
    return interval(known) if known else None
