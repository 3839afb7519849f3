"""The table of label sets against human labels (table 1 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..common.errors import InputError
from ..labels.sources import rule_of
from ..settings import Labels, LabelTable, Name, Settings
from .comparison import Column, Comparison, Row
from .published import Figure, Place

_COLUMNS = (
    Column("precision", "precision"),
    Column("recall", "recall"),
    Column("positives_per_query", "positives a query"),
    Column("kappa", "kappa", decimals=3),
    Column("empty", "empty"),
    Column("unparsable", "unparsable"),
)
_NOTES = (
    "Precision and recall of the human positives among a label set's positives, over all queries together, in percent; "
    "a human positive is what the pool's source calls one.",
    "Kappa: Cohen's, over all candidates. Human labels are sparse, so that an LLM which finds every useful passage "
    "stays far below 1.",
    "Empty: percent of the queries for which the LLM selected nothing. Unparsable: percent of those without a reply "
    "that can be read, because it lacks the form, was cut off or failed.",
    "An empty cell: not defined for these labels, or not known.",
)
_DEFAULT_PERCENT = Labels.model_fields["top_percent"].default


class LabelSettings(Settings):
    """What the table needs of a label set's settings; see :class:`~.settings.Labels`."""

    source: str
    annotator: Name | None = None
    top_percent: float = _DEFAULT_PERCENT

    @property
    def _ranked(self) -> bool:
        rule = rule_of(self.source)
        return rule is not None and rule.ranked

    @property
    def published_row(self) -> str:
        """The paper's name of such labels; empty where its table 1 has none, which is of the default threshold."""
        default = not self._ranked or self.top_percent == _DEFAULT_PERCENT
        return self.source if default else ""

    @property
    def strategy(self) -> str:
        """The source as the table shows it, with the threshold of a ranking."""
        return f"{self.source}, {self.top_percent:g} %" if self._ranked else self.source


class LabelTableSettings(Settings):
    """A table and the settings of its label sets, by name."""

    table: LabelTable
    labels: dict[Name, LabelSettings]


def label_table(
    settings: LabelTableSettings, qualities: Sequence[Mapping[str, Any]], paper: Mapping[Place, Figure]
) -> Comparison:
    """A row a label set.

    Args:
        settings: the table.
        qualities: figures of ``label_quality``.
        paper: the published figures; an annotator's rows are those of its name.

    Raises:
        InputError: the figures of a label set are lacking.
    """
    by_name = {quality["labels"]: quality for quality in qualities}
    rows = []
    for name in settings.table.labels:
        if name not in by_name:
            raise InputError(
                f"the table {settings.table.title!r} shows label set {name}, whose figures are not given.",
                hint="give the quality of all its label sets (--quality).",
            )
        labels = settings.labels[name]
        head = (name, labels.annotator or "", labels.strategy)
        places = {column.name: Place(head[1], labels.published_row, "", column.name) for column in _COLUMNS}
        published = {name: paper[place].value for name, place in places.items() if place in paper}
        rows.append(Row(head, _figures(by_name[name]), published))
    table = settings.table
    return Comparison(table.title, ("labels", "annotator", "strategy"), _COLUMNS, rows, _NOTES, table.published)


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
