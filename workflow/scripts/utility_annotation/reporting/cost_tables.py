"""The table of what the labels of trainings cost beside what the models reach (table 17 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.files import read_json
from ..labels.cost import Effort, Records, Work
from ..settings import Cost, CostTable, Name, Settings
from .comparison import Column, Comparison, Row
from .published import Figure, Place
from .tables import metric_name

_GPUS_OF_THE_PAPER = 8  # its hours are those of a machine with eight A800
_COST, _HOURS = "cost_usd", "device_hours"


class CostTableSettings(Settings):
    """A table, the prices, and the work behind the labels of each training; null where some labels came from a file."""

    table: CostTable
    prices: Cost
    work: dict[Name, list[Work] | None]


def cost_table(
    settings: CostTableSettings, records: Records, metrics: Sequence[Path | str], paper: Mapping[Place, Figure]
) -> Comparison:
    """A row a training: the cost of its labels in USD, device hours, and the test set's metrics in percent.

    Args:
        settings: the table.
        records: what tells how much work there was.
        metrics: metrics files of the trainings.
        paper: the published figures, whose rows are trainings.

    Raises:
        InputError: a file does not belong to the table, or one of the records is lacking.
    """
    results = _results(settings.table, metrics)
    published = {training: _published(paper, training) for training in settings.table.trainings}
    known = dict.fromkeys(chain(*results.values(), *published.values()))
    rows = []
    for training in settings.table.trainings:
        work = settings.work[training]
        effort = Effort(device_hours=None) if work is None else records.effort(work)
        cost = {_COST: effort.usd(settings.prices), _HOURS: effort.device_hours}
        rows.append(Row((training,), cost | results.get(training, {}), published[training]))
    dear = any((row.ours[_COST] or 0) >= 1000 for row in rows)
    columns = [Column(_COST, "cost (USD)", decimals=0 if dear else 2), Column(_HOURS, "GPU hours", decimals=2)]
    metric_names = [name for name in known if name not in (_COST, _HOURS)]
    columns += [Column(name, f"{settings.table.testset} {metric_name(name)}") for name in metric_names]
    table = settings.table
    return Comparison(table.title, ("training",), columns, rows, _notes(settings.prices), table.published)


def _results(table: CostTable, metrics: Sequence[Path | str]) -> dict[str, dict[str, float | None]]:
    results = {}
    for path in metrics:
        found: Any = read_json(path)
        place = (found["backbone"], found["testset"])
        if place != (table.backbone, table.testset) or found["training"] not in table.trainings:
            raise InputError(
                f"training {found['training']} of backbone {found['backbone']} on test set {found['testset']} has no "
                "place in the table.",
                hint="give the metrics of the table's own backbone, trainings and test set.",
                path=path,
            )
        results[found["training"]] = {metric: 100 * value for metric, value in found["metrics"].items()}
    return results


def _published(paper: Mapping[Place, Figure], training: str) -> dict[str, float]:
    """The paper's figures of a training by the name of our column, its hours as GPU hours."""
    found = {place.metric: figure.value for place, figure in paper.items() if place.row == training}
    if "hours" in found:
        found[_HOURS] = _GPUS_OF_THE_PAPER * found.pop("hours")
    return found


def _notes(prices: Cost) -> list[str]:
    return [
        "Cost of the labels alone, those of a training's first stages included. "
        f"A human judgement of a passage, or answer to a question: {prices.judgement_usd:g} USD. "
        f"A GPU hour: {prices.gpu_hour_usd:g} USD.",
        "GPU hours: all tokens of the annotation by the measured speed of its engine, and one load of the model a "
        "shard. A job on a CPU, or that asks a server, counts as one GPU.",
        "Metrics in percent. An empty cell is not known: labels from a file, completions made elsewhere, so that the "
        "engine's speed is not recorded here, or a metric that was not computed.",
    ]
