"""The names of metrics, and how other tools spell them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

_OTHER_NAMES = {
    "p": "precision",
    "r": "recall",
    "rr": "mrr",
    "recip_rank": "mrr",
    "reciprocal_rank": "mrr",
    "ap": "map",
    "average_precision": "map",
    "hit_rate": "success",
    "r-precision": "rprec",
    "r_precision": "rprec",
}
_WITH_CUTOFF = re.compile(r"(.+?)(?:@|_cut[_.]|[_.])(\d+)")


def metric_name(spelling: object) -> object:
    """A metric's name with its cutoff, such as ``ndcg@10``, from the spelling of trec_eval, ranx or ir_measures.

    ``ndcg_cut_10``, ``P_10``, ``MRR@10`` and ``recip_rank`` are understood, and ``rbp.95`` as ``rbp-95``. Whether there
    is such a metric is not checked here.
    """
    if not isinstance(spelling, str):
        return spelling
    match = _WITH_CUTOFF.fullmatch(spelling)
    name, cutoff = (match[1], match[2]) if match else (spelling, "")
    name = _OTHER_NAMES.get(name.lower(), name.lower())
    if name == "rbp" and cutoff and "@" not in spelling:
        return f"{name}-{cutoff}"
    return f"{name}@{cutoff}" if cutoff else name


MetricName = Annotated[str, BeforeValidator(metric_name)]
"""A metric of retrieval or of answers."""
