"""The table of what the labels of trainings cost beside what the models reach (table 17 of the paper)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from ..common.importing import large_packages
from ..labels.annotators import SharedJudge
from ..labels.cost import Effort, Records
from ..settings import Cost, CostTable
from .intervals import with_intervals
from .metrics import read_metrics
from .settings import CostTableSettings
from .tables import Table, judge_notes, published_notes, tidy

with large_packages():
    import pandas as pd

_GPUS_OF_THE_PAPER = 8  # its hours are those of a machine with eight A800
_COST, _HOURS = "cost_usd", "device_hours"
_DEAR_USD = 1000  # from here on cents are not shown


def cost_cells(
    settings: CostTableSettings, records: Records, metrics: Sequence[Path | str], paper: pd.DataFrame
) -> pd.DataFrame:
    """The tidy frame of a table, a row per training: USD, device hours, and the test set's metrics in percent.

    The rows of the paper's figures are trainings, too.

    Raises:
        InputError: one of the records is missing.
    """
    table = settings.table
    worked = []
    for training in table.trainings:
        work = settings.work[training]
        effort = Effort(device_hours=None) if work is None else records.effort(work)
        worked += [(training, _COST, effort.usd(settings.prices)), (training, _HOURS, effort.device_hours)]
    names = ["training", "metric"]
    reached = with_intervals(read_metrics(metrics, settings.seeds))[[*names, "value", "seeds", "sd", "low", "high"]]
    known = pd.concat([pd.DataFrame(worked, columns=[*names, "value"]), reached])
    paper = paper.drop(columns=["backbone", "column"]).rename(columns={"row": "training"})
    paper.loc[paper["metric"] == "hours", "published"] *= _GPUS_OF_THE_PAPER
    paper["metric"] = paper["metric"].replace("hours", _HOURS)
    shown = [_COST, _HOURS, *known["metric"], *paper.loc[paper["training"].isin(table.trainings), "metric"]]
    frame = pd.DataFrame(product(table.trainings, dict.fromkeys(shown)), columns=names)
    frame = frame.merge(known, how="left", on=names).merge(paper, how="left", on=names)
    of_work = frame["metric"].isin([_COST, _HOURS])
    dear = (frame["metric"] == _COST) & (frame.loc[frame["metric"] == _COST, "value"].max() >= _DEAR_USD)
    frame["column"] = np.where(of_work, "", table.testset)
    frame["decimals"] = np.where(of_work, np.where(dear, 0, 2), 1)
    return tidy(frame, ["training"])


def cost_table(
    settings: CostTable, prices: Cost, cells: pd.DataFrame, shared_judges: Iterable[SharedJudge] = ()
) -> Table:
    """A table of these cells, with its notes."""
    notes = [
        "Cost: of the labels alone, those of a training's first stages included. "
        f"A human judgement of a passage, or answer to a question, costs {prices.judgement_usd:g} USD. "
        f"A GPU hour costs {prices.gpu_hour_usd:g} USD.",
        "GPU hours: all tokens of the annotation at the measured speed of its engine, and one load of the model per "
        "shard. A job on a CPU, or one that asks a server, counts as one GPU.",
        "Metrics in percent. An empty cell is not known: the labels come from a file, the completions were made "
        "elsewhere, so that the engine's speed is not recorded here, or the metric was not computed.",
        *judge_notes(shared_judges),
        *published_notes(settings.published, cells),
    ]
    return Table(settings.title, {"training": "training"}, cells, notes)
