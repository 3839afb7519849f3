"""The table of label sets against human labels (table 1 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..common.errors import InputError
from ..common.importing import large_packages
from ..settings import LabelTable
from .table_settings import LabelTableSettings
from .tables import Table, published_notes, tidy

with large_packages():
    import pandas as pd

_NAMES = ("labels", "annotator", "strategy")
_DECIMALS = {"precision": 1, "recall": 1, "positives_per_query": 1, "kappa": 3, "empty": 1, "unparsable": 1}
_NOTES = (
    "Precision and recall: of the human positives among a label set's positives, over all queries together, in "
    "percent. A human positive is what the pool's source calls one.",
    "Kappa: Cohen's, over all candidates. Human labels are sparse, so an LLM that finds every useful passage stays far "
    "below 1.",
    "Empty: percent of the queries for which the LLM selected nothing. Unparsable: percent of the queries without a "
    "readable reply, because it lacks the form, was cut off or failed.",
    "An empty cell: not defined for these labels, or not known.",
)


def label_cells(
    settings: LabelTableSettings, qualities: Sequence[Mapping[str, Any]], paper: pd.DataFrame
) -> pd.DataFrame:
    """The tidy frame of a table, a row per label set.

    Args:
        settings: the table.
        qualities: figures of ``label_quality``.
        paper: the published figures; an annotator's rows are those of its name.

    Raises:
        InputError: the figures of a label set are missing.
    """
    by_name = {quality["labels"]: quality for quality in qualities}
    cells = []
    for name in settings.table.labels:
        if name not in by_name:
            raise InputError(
                f"the table {settings.table.title!r} shows label set {name}, whose figures are not given.",
                hint="give the quality of all its label sets.",
            )
        labels, figures = settings.labels[name], _figures(by_name[name])
        row = (name, labels.annotator or "", labels.strategy, labels.published_row)
        cells += [(*row, metric, figures.get(metric), decimals) for metric, decimals in _DECIMALS.items()]
    frame = pd.DataFrame(cells, columns=[*_NAMES, "published_row", "metric", "value", "decimals"])
    return tidy(frame.join(paper.droplevel("column"), on=["annotator", "published_row", "metric"]), _NAMES)


def label_table(settings: LabelTable, cells: pd.DataFrame) -> Table:
    """A table of these cells, with its notes."""
    heads = dict(zip(_NAMES, _NAMES, strict=True))
    return Table(settings.title, heads, cells, [*_NOTES, *published_notes(settings.published, cells)])


def _figures(quality: Mapping[str, Any]) -> dict[str, float | None]:
    selection, annotation = quality["selection"] or {}, quality["annotation"]
    figures = {name: selection.get(name) for name in ("precision", "recall", "positives_per_query")}
    figures["kappa"] = quality["agreement"] and quality["agreement"]["kappa"]
    if annotation:
        outcomes, queries = annotation["outcomes"], annotation["queries"]
        unreadable = sum(outcomes[outcome] for outcome in ("unparsable", "truncated", "error"))
        figures["empty"] = 100 * outcomes["empty"] / queries if queries else None
        figures["unparsable"] = 100 * unreadable / queries if queries else None
    return figures
