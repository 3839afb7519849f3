"""Exports: the files of a hand-over."""

from __future__ import annotations

from ..settings import Configuration
from . import results


def shown_metrics(configuration: Configuration, *, backbone: str, training: str) -> list[str]:
    """The retrieval metrics of a model in every table that shows it."""
    folder = f"results/metrics/{backbone}/{training}/"
    cells = dict.fromkeys(cell for table in configuration.tables for cell in results.cells(configuration, table))
    return [f"{cell}.json" for cell in cells if cell.startswith(folder)]
