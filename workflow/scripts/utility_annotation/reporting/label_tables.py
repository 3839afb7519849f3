"""The table of label sets against human labels (table 1 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..common.importing import large_packages
from ..evaluation.answer_metrics import ANSWER_METRICS
from ..labels.cost import Records
from ..labels.sources import rule_of
from ..settings import Labels, LabelTable
from .settings import LabelTableSettings
from .tables import Table, published_notes, tidy

with large_packages():
    import pandas as pd

_NAMES = ("labels", "annotator", "strategy")
_DEFAULT_PERCENT = Labels.model_fields["top_percent"].default
_DECIMALS = {
    "precision": 1,
    "recall": 1,
    "positives_per_query": 1,
    "ignored_per_query": 1,
    "kappa": 3,
    "empty": 1,
    "unparsable": 1,
    "completed": 1,
}
_IGNORED = "ignored_per_query"
"""Shown where a label set of the table ignores candidates."""
_AGAINST_DECIMALS = {"kappa_against": 3, "precision_against": 1, "recall_against": 1}
_WORK_DECIMALS = {"llm_tokens": 0, "device_hours": 2}
_NOTES = (
    "Precision and recall: of the human positives among a label set's positives, over all queries together, in "
    "percent. A human positive is what the pool's source calls one.",
    "Kappa: Cohen's, over all candidates. Human labels are sparse, so an LLM that finds every useful passage stays far "
    "below 1.",
    "Empty: percent of the queries for which the LLM selected nothing. Unparsable: percent of the queries without a "
    "readable reply, because it lacks the form, was cut off or failed.",
    "Completed: percent of the queries whose ranking names only some of the passages. The others follow, none of them "
    "positive.",
    "An empty cell: not defined for these labels, or not known.",
)


def label_cells(
    settings: LabelTableSettings,
    qualities: Sequence[Mapping[str, Any]],
    paper: pd.DataFrame,
    agreement: Sequence[Mapping[str, Any]] = (),
    records: Records | None = None,
) -> pd.DataFrame:
    """The tidy frame of a table, a row per label set; the paper's figures of an annotator are those of its name.

    Args:
        settings: the table and its label sets.
        qualities: the figures of each label set.
        paper: the published figures.
        agreement: that with the label set ``against`` which the table names, of :mod:`..labels.against`.
        records: what was done for the labels, of a table that shows the work.
    """
    by_name = {quality["labels"]: quality for quality in qualities}
    beside = {found["labels"]: _beside(found) for found in agreement}
    ignoring = any(by_name[name]["ignored"] for name in settings.labels)
    shown = {metric: decimals for metric, decimals in _DECIMALS.items() if ignoring or metric != _IGNORED}
    shown = shown | (_AGAINST_DECIMALS if settings.table.against else {})
    shown = shown | (_WORK_DECIMALS if settings.table.work else {})
    cells = []
    for name, labels in settings.labels.items():
        rule, strategy, row = rule_of(labels.source), labels.source, labels.source
        if rule is not None and rule.ranked:
            strategy = f"{labels.source}, {labels.top_percent:g} %"
            row = row if labels.top_percent == _DEFAULT_PERCENT else ""  # the paper's table has no other
        if rule is not None and rule.highest > 1:
            strategy = f"{labels.source}, grade {labels.relevance_level}"
        if labels.metric is not None:
            more = f" by {labels.margin:g}" if labels.margin else ""
            strategy = f"{labels.source}, {ANSWER_METRICS[labels.metric].label}{more}"
        if labels.ignore is not None:
            strategy, row = f"{strategy}, {labels.ignore} ignored", ""  # nor one that leaves candidates out
        figures = _figures(by_name[name]) | beside.get(name, {})
        work = settings.work.get(name)
        if records is not None and work is not None:
            effort = records.effort(work)
            figures |= {"llm_tokens": effort.tokens, "device_hours": effort.device_hours}
        place = (name, labels.annotator or "", strategy, row)
        ends = beside.get(name, {})
        cells += [
            (*place, metric, figures.get(metric), decimals, *(ends.get(f"{metric}_{end}") for end in ("low", "high")))
            for metric, decimals in shown.items()
        ]
    frame = pd.DataFrame(cells, columns=[*_NAMES, "row", "metric", "value", "decimals", "low", "high"])
    paper = paper.drop(columns="column").rename(columns={"backbone": "annotator"})
    return tidy(frame.merge(paper, how="left", on=["annotator", "row", "metric"]), _NAMES)


def label_table(settings: LabelTable, cells: pd.DataFrame) -> Table:
    """A table of these cells, with its notes."""
    notes = [*_NOTES]
    if _IGNORED in set(cells["metric"]):
        notes.append(
            "Ignored: candidates per query that the labels call neither positive nor negative. Precision, recall and "
            "kappa leave them out."
        )
    if settings.against:
        notes.append(
            f"Agreement, and precision and recall of its positives: with {settings.against}, on the candidates that "
            "both label. The interval of kappa (.csv) is a bootstrap over questions."
        )
    if settings.work:
        notes.append(
            "Tokens: read and written by LLMs, those of stored replies included. GPU hours: all of these tokens at the "
            "measured speed of the engine, and one load of the model per shard; for a selector the training of its "
            "reranker and the scoring of the pool, too. A job on a CPU, or one that asks a server, counts as one GPU."
        )
    return Table(
        settings.title, {name: name for name in _NAMES}, cells, [*notes, *published_notes(settings.published, cells)]
    )


def _beside(found: Mapping[str, Any]) -> dict[str, float | None]:
    low, high = found["kappa_interval"] or (None, None)
    return {f"{name}_against": found[name] for name in ("kappa", "precision", "recall")} | {
        "kappa_against_low": low,
        "kappa_against_high": high,
    }


def _figures(quality: Mapping[str, Any]) -> dict[str, float | None]:
    selection, annotation = quality["selection"] or {}, quality["annotation"]
    figures = {name: selection.get(name) for name in ("precision", "recall", "positives_per_query")}
    figures[_IGNORED] = quality["ignored"] / quality["queries"] if selection and quality["queries"] else None
    figures["kappa"] = quality["agreement"] and quality["agreement"]["kappa"]
    if annotation:
        outcomes, queries = annotation["outcomes"], annotation["queries"]
        unreadable = sum(outcomes[outcome] for outcome in ("unparsable", "truncated", "error"))
        figures["empty"] = 100 * outcomes["empty"] / queries if queries else None
        completed = annotation["completed"]
        figures["completed"] = 100 * completed / queries if queries and completed is not None else None
        figures["unparsable"] = 100 * unreadable / queries if queries else None
    return figures
