"""The unweighted mean of metrics over several test sets (CQADupStack's forums, BEIR's fourteen sets)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.files import read_json
from ..io.schemas import PER_QUERY
from .samples import STRATUM_END


def average(name: str, metrics: Sequence[Path], per_query: Sequence[Path]) -> tuple[dict[str, Any], pa.Table]:
    """Average the metrics that all members have.

    Args:
        name: the average's name.
        metrics: metrics (JSON) of one training on each member, which may be an average itself.
        per_query: per-query values of the members, in the same order.

    Returns:
        The figures, ready for JSON, with ``weights``: the weight of each test set in the mean (an average's weight is
        shared by its members). And the per-query values of all test sets (schema ``PER_QUERY``), each query id after
        its test set's name and a slash. The metrics are these values' means weighted by ``weights``.

    Raises:
        InputError: the members are of several trainings, have no metric in common, or share a test set.
    """
    members = [read_json(path, *_READ) for path in metrics]
    trainings = {(member["backbone"], member["training"]) for member in members}
    if len(trainings) != 1 or len(members) != len(per_query):
        raise InputError(
            f"an average needs metrics and per-query values of one training, and these are of {len(trainings)}.",
            hint="give one file of each a test set, in the same order.",
            path=metrics[0],
        )
    shared = [metric for metric in members[0]["metrics"] if all(metric in member["metrics"] for member in members)]
    if not shared:
        raise InputError(
            f"the test sets of the average {name!r} have no metric in common.",
            hint="name one in the `metrics` of each of its test sets.",
            path=metrics[0],
        )
    weights: dict[str, float] = {}
    for member, path in zip(members, metrics, strict=True):
        for testset, weight in _weights(member).items():
            if testset in weights:
                raise InputError(
                    f"test set {testset!r} is twice in the average {name!r}.",
                    hint="name it once, also within the averages that it holds.",
                    path=path,
                )
            weights[testset] = weight / len(members)
    ((backbone, training),) = trainings
    figures = {
        "backbone": backbone,
        "training": training,
        "testset": name,
        "queries": sum(member["queries"] for member in members),
        "queries_missing_from_run": sum(member["queries_missing_from_run"] for member in members),
        "weights": weights,
        "metrics": {metric: sum(member["metrics"][metric] for member in members) / len(members) for metric in shared},
    }
    tables = [_values(path, member, shared) for path, member in zip(per_query, members, strict=True)]
    return figures, pa.concat_tables(tables)


_READ = ("backbone", "training", "testset", "queries", "queries_missing_from_run", "metrics")


def _weights(member: Mapping[str, Any]) -> dict[str, float]:
    """The weight of each test set within a member; 1 for a test set."""
    return member.get("weights") or {member["testset"]: 1.0}


def _values(path: Path, member: Mapping[str, Any], metrics: Sequence[str]) -> pa.Table:
    table = PER_QUERY.read(path)
    table = table.filter(pc.is_in(table["metric"], pa.array(metrics)))
    if "weights" in member:
        return table
    named = pc.binary_join_element_wise(member["testset"], table["query_id"], STRATUM_END)
    return table.set_column(0, PER_QUERY.schema.field("query_id"), named)
