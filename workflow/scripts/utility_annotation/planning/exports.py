"""Exports: the files of a hand-over."""

from __future__ import annotations

from ..settings import RERANKED, Configuration, Reranked, Selected
from . import results, selection


def reranked_by(configuration: Configuration, *, backbone: str, training: str) -> dict[str, Reranked]:
    """By name, the reranked runs that tables show and that this model orders."""
    shown, model = _shown(configuration, "reranked"), f"{backbone}/{training}"
    return {name: each for name, each in configuration.reranked.items() if name in shown and each.reranker == model}


def selected_by(configuration: Configuration, *, backbone: str, training: str) -> dict[str, Selected]:
    """By name, the selected runs that tables show and that this model's calibrated scores decide."""
    shown, model = _shown(configuration, "selected"), (backbone, training)
    own = (name for name in configuration.selected if selection.scored_by(configuration, name) == model)
    return {name: configuration.selected[name] for name in own if name in shown}


def _shown(configuration: Configuration, section: str) -> set[str]:
    """The rows of tables that a section has, those of all seeds among them."""
    return {
        each
        for table, settings in configuration.tables.items()
        for name in getattr(settings, section)
        for each in results.table_seeds(configuration, table=table)[name]
    }


def calibrations(configuration: Configuration, *, backbone: str, training: str) -> list[str]:
    """The calibrations behind them."""
    own = selected_by(configuration, backbone=backbone, training=training)
    files = (file for name in own for file in selection.calibration(configuration, selected=name))
    return list(dict.fromkeys(files))


def shown_metrics(configuration: Configuration, *, backbone: str, training: str) -> list[str]:
    """The retrieval metrics of a model in every table that shows it, and those of what it orders again."""
    rows = [f"{backbone}/{training}"]
    rows += [f"{RERANKED}/{name}" for name in reranked_by(configuration, backbone=backbone, training=training)]
    folders = tuple(f"results/metrics/{row}/" for row in rows)
    cells = dict.fromkeys(cell for table in configuration.tables for cell in results.cells(configuration, table))
    return [f"{cell}.json" for cell in cells if cell.startswith(folders)]
