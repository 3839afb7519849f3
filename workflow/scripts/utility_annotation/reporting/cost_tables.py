"""The table of what the labels of runs cost beside what the runs reach (table 17 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..configuration import Cost, CostTable, Name, Settings
from ..cost import Effort, Records, Work
from ..errors import InputError
from ..files import read_json
from .comparison import Column, Comparison, Row
from .tables import metric_name


class CostTableSettings(Settings):
    """A table, the prices, and the work behind the labels of each run; null where some labels came from a file."""

    table: CostTable
    prices: Cost
    work: dict[Name, list[Work] | None]


def cost_table(settings: CostTableSettings, records: Records, metrics: Sequence[Path | str]) -> Comparison:
    """A row a run: the cost of its labels in USD, device hours, and the test set's metrics in percent.

    Args:
        settings: the table.
        records: what tells how much work there was.
        metrics: metrics files of the runs.

    Raises:
        InputError: a file does not belong to the table, or one of the records is lacking.
    """
    results = _results(settings.table, metrics)
    computed = dict.fromkeys(metric for result in results.values() for metric in result)
    rows = []
    for run in settings.table.runs:
        work = settings.work[run]
        effort = Effort(device_hours=None) if work is None else records.effort(work)
        cost = {"usd": effort.usd(settings.prices), "device_hours": effort.device_hours}
        rows.append(Row((run,), cost | results.get(run, {}), {}))
    dear = any((row.ours["usd"] or 0) >= 1000 for row in rows)
    columns = [Column("usd", "cost (USD)", decimals=0 if dear else 2), Column("device_hours", "GPU hours", decimals=2)]
    columns += [Column(metric, f"{settings.table.testset} {metric_name(metric)}") for metric in computed]
    return Comparison(settings.table.title, ("run",), columns, rows, _notes(settings.prices))


def _results(table: CostTable, metrics: Sequence[Path | str]) -> dict[str, dict[str, float | None]]:
    results = {}
    for path in metrics:
        found: Any = read_json(path)
        place = (found["backbone"], found["testset"])
        if place != (table.backbone, table.testset) or found["run"] not in table.runs:
            raise InputError(
                f"run {found['run']} of backbone {found['backbone']} on test set {found['testset']} has no place in "
                "the table.",
                mend="give the metrics of the table's own backbone, runs and test set.",
                path=path,
            )
        results[found["run"]] = {metric: 100 * value for metric, value in found["metrics"].items()}
    return results


def _notes(prices: Cost) -> list[str]:
    return [
        "Cost of the labels alone, those of a run's first stages included. "
        f"A human judgement of a passage, or answer to a question: {prices.judgement_usd:g} USD. "
        f"A GPU hour: {prices.gpu_hour_usd:g} USD.",
        "GPU hours: all tokens of the annotation by the measured speed of its engine, and one load of the model a "
        "shard. A job on a CPU, or that asks a server, counts as one GPU.",
        "Metrics in percent. An empty cell is not known: labels from a file, annotation that was all found in the "
        "completion store, or a metric that was not computed.",
    ]
