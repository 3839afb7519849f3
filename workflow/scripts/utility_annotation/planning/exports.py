"""Exports: the files of a hand-over."""

from __future__ import annotations

from ..settings import RERANKED, Configuration, Reranked
from . import results


def reranked_by(configuration: Configuration, *, backbone: str, training: str) -> dict[str, Reranked]:
    """By name, the reranked runs that tables show and that this model orders; none for a retriever's."""
    shown = {
        each
        for table, settings in configuration.tables.items()
        for name in settings.reranked
        for each in results.table_seeds(configuration, table=table)[name]
    }
    model = f"{backbone}/{training}"
    return {name: each for name, each in configuration.reranked.items() if name in shown and each.reranker == model}


def shown_metrics(configuration: Configuration, *, backbone: str, training: str) -> list[str]:
    """The retrieval metrics of a model in every table that shows it; a reranker's are those of what it orders."""
    rows = [f"{backbone}/{training}"]
    rows += [f"{RERANKED}/{name}" for name in reranked_by(configuration, backbone=backbone, training=training)]
    folders = tuple(f"results/metrics/{row}/" for row in rows)
    cells = dict.fromkeys(cell for table in configuration.tables for cell in results.cells(configuration, table))
    return [f"{cell}.json" for cell in cells if cell.startswith(folders)]
