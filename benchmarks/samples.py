"""The figures of a row with one or several seeds: as records hold them and as tables show them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from measure import ROOT

sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from utility_annotation.evaluation.samples import Sample, per_query_values
from utility_annotation.evaluation.significance import compare


def sample(places: Iterable[str], metric: str) -> Sample:
    """The values by question of each seed, from what the workflow evaluated.

    Args:
        places: of each seed, below results/, without the ending, such as metrics/bm25/bm25/held-out.
        metric: one of the test set's or of the answers'.
    """
    return Sample.of([[per_query_values(f"results/{place}.per-query.parquet", metric)] for place in places])


def figures(own: Sample, bases: Mapping[str, Sample]) -> dict[str, Any]:
    """Mean and standard deviation over seeds (None for one seed) in percent, and the difference from each base."""
    values = 100 * own.figures()
    return {
        "mean": round(float(values.mean()), 1),
        "sd": round(float(values.std(ddof=1)), 1) if own.seeds > 1 else None,
        "over": {name: gain(own, base) for name, base in bases.items()},
    }


def gain(own: Sample, base: Sample) -> dict[str, float]:
    """Difference and its 95 % interval in points, and p."""
    found = compare(own, base)
    points = {name: round(100 * getattr(found, name), 1) for name in ("gain", "low", "high")}
    return {**points, "p": round(found.p_value, 4)}


def cell(figure: Mapping[str, Any], base: str = "") -> str:
    """A mean, with its difference from a base if the record has one."""
    mean = f"{figure['mean']}" + (f" ± {figure['sd']}" if figure.get("sd") is not None else "")
    over = figure.get("over", {}).get(base)
    return f"{mean} ({difference(over)})" if over else mean


def difference(found: Mapping[str, float]) -> str:
    """A gain and its interval."""
    return f"{found['gain']:+} [{found['low']}, {found['high']}]"
