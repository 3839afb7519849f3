"""The report: one HTML file that needs no network, for a wide screen, a phone, day and night.

It is whole without a script; the one that it has filters the annotations. A policy in the page lets a browser run this
script and no other, and load nothing, whatever stands in a passage or a reply.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..common.files import read_json
from ..labels.positions import NORMAL_95
from ..settings import Configuration, ResultsTable
from .browser import ShownPool, Text, visible
from .comparison import ShownComparison
from .results_markup import legend, paper_figure
from .tables import Cell, TableRow, columns_of, metric_name, read_csv, table_rows, training_name
from .trainings import TrainingRecord
from .work import amount, device, usd

_EVALUATORS = ("ranx", "faiss-cpu", "pyserini", "scipy", "pyarrow", "snakemake")


@dataclass(frozen=True)
class Figure:
    """A figure as it stands in the page: an SVG embedded as an image, so that its ids and styles stay its own."""

    title: str
    source: str

    @classmethod
    def read(cls, path: Path, title: str) -> Figure:
        """Embed an SVG file."""
        return cls(title, "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode("ascii"))


@dataclass(frozen=True)
class ShownTable:
    """A table of results, laid out for the template: rows of cells under columns and their metrics."""

    settings: ResultsTable
    columns: list[tuple[str, list[str]]]
    rows: list[tuple[TableRow, list[Cell]]]
    notes: list[str]
    figure: Figure | None

    @classmethod
    def lay_out(cls, settings: ResultsTable, cells: Sequence[Cell], figure: Figure | None) -> ShownTable:
        """Arrange the cells of one table."""
        metrics: dict[str, list[str]] = {}
        for column, metric in columns_of(cells):
            metrics.setdefault(column, []).append(metric)
        by_row: dict[tuple[str, str], list[Cell]] = {}
        for cell in cells:
            by_row.setdefault((cell.backbone, cell.row), []).append(cell)
        rows = [(row, by_row.get((row.backbone, row.name), [])) for row in table_rows(settings)]
        return cls(settings, list(metrics.items()), rows, legend(settings, cells), figure)


def render(
    template: Path,
    configuration: Configuration,
    qualities: Sequence[Mapping[str, Any]],
    tables: Sequence[Path],
    label_tables: Sequence[Path],
    cost_tables: Sequence[Path],
    figures: Sequence[Path],
    trainings: Sequence[TrainingRecord],
    works: Sequence[Path] = (),
    cards: Sequence[Path] = (),
) -> str:
    """The page as HTML.

    Args:
        template: the Jinja template; whatever it inserts is escaped. Beside it stand what it includes, the page's style
            (``style.css``) and script (``annotations.js``).
        configuration: what was asked for.
        qualities: figures of ``label_quality``, one a label set.
        tables: CSV files of ``write_csv``, each named as its table in the configuration.
        label_tables, cost_tables: Markdown files of :class:`~.comparison.Comparison`.
        figures: SVG files; one named as a table stands with that table, ``positives`` and ``positions`` with the
            labels, ``training`` with the trainings, and charts by themselves.
        trainings: the trainings' records.
        works: files of :func:`.work.annotation_cost`, one a pool.
        cards: files of :func:`.cards.collect`, one a pool.
    """
    titles = {name: f"{table.title}, as bars" for name, table in configuration.tables.items()}
    titles |= {
        "positives": "Positives a query",
        "positions": "Selected passages and human positives by position in the list that the LLM was shown, "
        "as far as 1 % of the lists reach",
        "training": "Training loss",
    }
    charts = {name: chart.title for name, chart in configuration.label_charts.items()}
    charts |= {name: chart.title for name, chart in configuration.line_charts.items()}
    titles |= charts
    drawn = {path.stem: Figure.read(path, titles[path.stem]) for path in figures}
    shown = [
        ShownTable.lay_out(configuration.tables[path.stem], read_csv(path), drawn.get(path.stem)) for path in tables
    ]
    pools = [ShownPool.read(path, configuration) for path in cards]
    script = (template.parent / "annotations.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "metric": metric_name,
        "training": training_name,
        "tendency": tendency,
        "paper": paper_figure,
    }
    environment.filters |= {"visible": visible, "shown": Text.of, "amount": amount}
    environment.filters |= {
        "device": lambda stage: device(configuration, stage),
        "usd": lambda effort: usd(configuration.cost, effort),
    }
    settings = json.dumps(configuration.model_dump(mode="json", exclude={"performance"}), indent=2, ensure_ascii=False)
    return environment.get_template(template.name).render(
        configuration=configuration,
        settings=settings,
        qualities=qualities,
        tables=shown,
        label_tables=[ShownComparison.read(path) for path in label_tables],
        cost_tables=[ShownComparison.read(path) for path in cost_tables],
        figures=drawn,
        charts=[drawn[name] for name in charts if name in drawn],
        trainings=trainings,
        versions=_versions(trainings),
        works=[read_json(path) for path in works],
        pools=pools,
        judge_names=dict.fromkeys(judge.judge.name for pool in pools for judge in pool.judges),
        style=Markup((template.parent / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )


def tendency(relative: Mapping[str, Any]) -> str:
    """Whether passages stand ``earlier`` or ``later`` in their lists than chance puts them (p < 0.05), else nothing.

    Args:
        relative: their mean relative position and its standard error, see :meth:`..positions.ShownLists.relative`.
    """
    mean, error = relative["mean"], relative["standard_error"]
    if mean is None or error is None or abs(mean - 0.5) <= max(NORMAL_95 * error, 1e-9):  # 1e-9: rounding
        return ""
    return "earlier" if mean < 0.5 else "later"


def _versions(trainings: Sequence[TrainingRecord]) -> dict[str, str]:
    """Name → version of what trained the models, and of what evaluated them where this page is written."""
    used: dict[str, set[str]] = {"python": {platform.python_version()}}
    for name in _EVALUATORS:
        try:
            used[name] = {importlib.metadata.version(name)}
        except importlib.metadata.PackageNotFoundError:
            continue
    for training in trainings:
        for name, version in training.record["versions"].items():
            used.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in sorted(used.items())}
