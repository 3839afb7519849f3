"""Reading what tables and charts show: our figures, the paper's, and the records of trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ..common.errors import InputError
from ..common.files import read_json
from ..common.importing import large_packages
from ..evaluation.answer_work import WORK
from ..settings import Cost

with large_packages():
    import pandas as pd

KEY = ["backbone", "training", "column", "metric"]
"""What names a figure; the column is a test set, an average, or ``QA/GENERATOR``."""

PLACE = ["backbone", "row", "column", "metric"]
"""What names a figure of the paper: the row of a backbone (table 1: of an annotator), and the metric of a column, which
is empty where a table has no test sets."""


def read_metrics(
    paths: Sequence[Path | str],
    seeds: Mapping[str, Sequence[str]],
    work: Sequence[str] = (),
    prices: Cost | None = None,
) -> pd.DataFrame:
    """The figures of metrics files, one per line; those of a training's seeds are one.

    Args:
        paths: the files.
        seeds: by training, those of each seed.
        work: which figures of :data:`..evaluation.answer_work.WORK` are read beside the metrics, each in its unit.
        prices: for the price of an answer.

    Returns:
        The columns of ``KEY``, ``value`` (percent for metrics; the mean over seeds), ``seeds`` (their number), ``sd``
        (standard deviation over several seeds), ``queries`` (their number), ``per_query`` (the files beside those
        given, with the queries' values) and, for an average, ``weights`` of its test sets.
    """
    names = {each: training for training, group in seeds.items() for each in group}
    figures: dict[tuple[str, ...], list[tuple[float, Path]]] = {}
    shared: dict[tuple[str, ...], tuple[Any, Any]] = {}
    for path in map(Path, paths):
        found = read_json(path, "backbone", "training", "queries", "metrics")
        column = f"{found['qa']}/{found['generator']}" if "qa" in found else found["testset"]
        training = names.get(found["training"], found["training"])
        for metric, value in found["metrics"].items():
            key: tuple[str, ...] = (found["backbone"], training, column, metric)
            figures.setdefault(key, []).append((100 * value, path.with_suffix(".per-query.parquet")))
            shared[key] = (found["queries"], found.get("weights"))
        for name in work if "work" in found else ():
            shown = WORK[name].value(found["work"], prices)
            if shown is not None:
                key = (found["backbone"], training, column, name)
                figures.setdefault(key, []).append((shown, path))
                shared[key] = (found["queries"], None)
    lines = []
    for place, members in figures.items():
        values, per_query = zip(*members, strict=True)
        sd = stdev(values) if len(values) > 1 else math.nan
        lines.append((*place, fmean(values), len(values), sd, per_query, *shared[place]))
    columns = [*KEY, "value", "seeds", "sd", "per_query", "queries", "weights"]
    types = dict.fromkeys(KEY, "str") | {"value": "float64", "sd": "float64"}
    return pd.DataFrame(lines, columns=columns).astype(types)


def read_published(table: str | None, path: Path | str | None) -> pd.DataFrame:
    """The paper's figures that stand beside ours, one per line of resources/paper/published.csv.

    Args:
        table: a table's setting ``published``: the number of the paper's table, or None where nothing stands beside.
        path: the file, if it was given.

    Returns:
        The columns of ``PLACE``, ``published`` (the figure in the paper's unit, percent for all metrics) and
        ``doubtful`` (whether it was hard to read in the source).

    Raises:
        InputError: the paper has no such table, or its figures are asked for and not given.
    """
    if table is None:
        return pd.DataFrame(columns=[*PLACE, "published", "doubtful"]).astype(dict.fromkeys(PLACE, "str"))
    if path is None:
        raise InputError("this table has `published`, but the paper's figures are not given.", hint="give --published.")
    types = dict.fromkeys(["table", *PLACE], "str")
    lines = pd.read_csv(path, dtype=types, keep_default_na=False).rename(columns={"value": "published"})
    if table not in set(lines["table"]):
        raise InputError(f"there is no table {table!r}.", hint="correct the table's `published`.", path=path)
    return lines[lines["table"] == table].drop(columns="table")


def read_training(path: Path) -> dict[str, Any]:
    """The record ``…/{backbone}/{training}/training.json``, with the names of its folders and its losses.

    ``losses`` are by 1-based step; ``first_loss`` and ``last_loss`` are their means over a tenth of the steps.
    """
    record: dict[str, Any] = read_json(path, "curve")
    losses = {step: loss for step, _, loss, *_ in record["curve"]}
    curve, tenth = list(losses.values()), max(1, len(losses) // 10)
    means = {"first_loss": fmean(curve[:tenth]), "last_loss": fmean(curve[-tenth:])}
    place = path.absolute().parent
    return record | means | {"backbone": place.parent.name, "name": place.name, "losses": losses}
