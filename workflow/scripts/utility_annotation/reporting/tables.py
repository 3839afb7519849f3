"""The tables of results: retrievers against test sets and question answering, with significance marks.

Significance (paper, tables 2 to 5): two-sided paired t-test over the queries, within the same backbone; ``+`` and
``−`` against the baseline (Human), ``†`` for better than the second baseline (REPLUG of the same group). How a table
is written down is :mod:`.results_markup`'s.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from ..common.errors import InputError
from ..common.files import atomic_write, read_json
from ..evaluation.answer_metrics import ANSWER_METRICS
from ..evaluation.metric_names import METRICS
from ..evaluation.significance import paired_t_test, per_query_values
from ..settings import BM25, UNTRAINED, ResultsTable
from . import published
from .published import Place

Trained = tuple[str, str]
"""Backbone and training."""


class TableRow(NamedTuple):
    """A row: backbone, its name in the table, the training that it shows, and of its group the title, the second
    baseline, and whether the row is the first."""

    backbone: str
    name: str
    training: str
    group: str = ""
    second_baseline: str | None = None
    starts_group: bool = True


@dataclass(frozen=True)
class Cell:
    """One row, one column.

    Attributes:
        backbone: the row's backbone.
        row: the row's name.
        training: the training that it shows.
        column: a test set, an average, or ``QA/GENERATOR``.
        metric: the metric.
        queries: number of queries averaged over; None where nothing was computed.
        percent: the metric times 100; None where it was not computed.
        standing: ``best`` or ``second`` of its column within its backbone's block, as far as one decimal shows.
        marks: any of ``+``, ``−``, ``†``.
        p_baseline: p-value against the baseline; None where there is nothing to compare.
        p_second_baseline: p-value against the second baseline.
        published: the paper's figure (percent), if there is one.
        doubtful: whether that was hard to read in its source.
    """

    backbone: str
    row: str
    training: str
    column: str
    metric: str
    queries: int | None = None
    percent: float | None = None
    standing: str = ""
    marks: str = ""
    p_baseline: float | None = None
    p_second_baseline: float | None = None
    published: float | None = None
    doubtful: bool = False

    @property
    def shown(self) -> str:
        """The figure with one decimal, or nothing."""
        return "" if self.percent is None else f"{self.percent:.1f}"

    @property
    def difference(self) -> float | None:
        """Our figure less the paper's, in points; None where one of them is missing."""
        return None if self.percent is None or self.published is None else self.percent - self.published


@dataclass(frozen=True)
class Result:
    """The metrics of one training in one column, and where its per-query values are.

    Attributes:
        weights: for an average, the weight of each of its test sets.
    """

    queries: int
    metrics: Mapping[str, float]
    per_query: Path | None
    weights: Mapping[str, float] | None = None


Results = Mapping[tuple[Trained, str], Result]
"""(backbone and training, column) → result."""


def table_rows(settings: ResultsTable) -> list[TableRow]:
    """The rows of a table from top to bottom: BM25 if there are test sets, then each backbone's groups.

    Within its group the untrained backbone stands first.
    """
    rows = [TableRow(BM25, BM25, BM25)] if settings.with_bm25 and settings.testsets else []
    for backbone in settings.backbones:
        for group in settings.groups:
            shown = sorted(group.shown(), key=lambda row: row.training != UNTRAINED)
            rows += [
                TableRow(backbone, row.name, row.training, group.title, row.second_baseline, starts_group=not place)
                for place, row in enumerate(shown)
            ]
    return rows


def column_names(settings: ResultsTable) -> list[str]:
    """Test sets and averages, then each task with each generator."""
    return [*settings.testsets, *(f"{task}/{generator}" for task in settings.qa for generator in settings.generators)]


def read_results(
    settings: ResultsTable, metrics: Sequence[Path | str], per_query: Sequence[Path | str] | None = None
) -> dict[tuple[Trained, str], Result]:
    """Results from metrics files; the i-th per-query file belongs to the i-th metrics file.

    Raises:
        InputError: a file does not belong to the table, is given twice, or lacks its per-query file.
    """
    if per_query is not None and len(per_query) != len(metrics):
        raise InputError(
            f"{len(metrics)} metrics files stand beside {len(per_query)} files of per-query values.",
            hint="give one of each for each training and test set, in the same order.",
        )
    wanted = {
        ((row.backbone, row.training), column) for row in table_rows(settings) for column in column_names(settings)
    }
    results: dict[tuple[Trained, str], Result] = {}
    for path, values in zip_longest(metrics, per_query or ()):
        found: Any = read_json(path)
        column = f"{found['qa']}/{found['generator']}" if "qa" in found else found["testset"]
        place = ((found["backbone"], found["training"]), column)
        if place not in wanted or place in results:
            what = "is given twice for" if place in results else "has no place in"
            raise InputError(
                f"training {found['training']} of backbone {found['backbone']} on {column} {what} the table.",
                hint="give the metrics of the table's own backbones, trainings and columns, once each.",
                path=path,
            )
        values = None if values is None else Path(values)
        results[place] = Result(found["queries"], found["metrics"], values, found.get("weights"))
    return results


def table_columns(
    settings: ResultsTable, results: Results, paper: Mapping[Place, Any] | None = None
) -> list[tuple[str, str]]:
    """Name and metric of each column; metrics as the table lists them, else by name and depth."""
    columns = []
    for name in column_names(settings):
        known = {metric for (_, of), result in results.items() if of == name for metric in result.metrics}
        known |= {place.metric for place in paper or () if place.column == name}
        shown = [metric for metric in settings.metrics if metric in known] or sorted(known, key=_by_name_and_depth)
        columns += [(name, metric) for metric in shown if not settings.metrics or metric in settings.metrics]
    return columns


def results_table(
    settings: ResultsTable,
    metrics: Sequence[Path | str],
    per_query: Sequence[Path | str],
    paper: Mapping[Place, published.Figure] | None = None,
) -> list[Cell]:
    """All cells, row by row; a cell that was not computed is empty.

    Args:
        settings: the table.
        metrics: metrics files of its rows and columns.
        per_query: per-query values, in the same order.
        paper: the published figures of :func:`.published.read_published`.

    Raises:
        InputError: see ``read_results``; or two trainings that are to be compared have other queries.
    """
    results = read_results(settings, metrics, per_query)
    values = cache(per_query_values)

    @cache
    def p_value(ours: Trained, theirs: Trained, column: str, metric: str) -> float | None:
        """Paired t-test of two rows; None where one of them was not computed, or for a training against itself."""
        first, second = results.get((ours, column)), results.get((theirs, column))
        if ours == theirs or not first or not second or metric not in first.metrics or metric not in second.metrics:
            return None
        return paired_t_test(values(first.per_query, metric), values(second.per_query, metric), first.weights)

    rows = table_rows(settings)
    columns = [
        _with_standings([_cell(settings, row, *column, results, p_value, paper or {}) for row in rows])
        for column in table_columns(settings, results, paper)
    ]
    return [column[place] for place in range(len(rows)) for column in columns]


def _cell(
    settings: ResultsTable,
    row: TableRow,
    column: str,
    metric: str,
    results: Results,
    p_value: Callable[[Trained, Trained, str, str], float | None],
    paper: Mapping[Place, published.Figure],
) -> Cell:
    figure = paper.get(Place(row.backbone, row.name, column, metric))
    cell = Cell(row.backbone, row.name, row.training, column, metric)
    if figure is not None:
        cell = replace(cell, published=figure.value, doubtful=figure.doubtful)
    result = results.get(((row.backbone, row.training), column))
    if result is None or metric not in result.metrics:
        return cell
    value, marks, p_values = result.metrics[metric], "", []
    for baseline, better, worse in ((settings.baseline, "+", "−"), (row.second_baseline, "†", "")):
        ours, other = (row.backbone, row.training), (row.backbone, baseline or "")
        p = None if baseline is None or row.backbone == BM25 else p_value(ours, other, column, metric)
        if p is not None and p < settings.significance_level:
            marks += better if value > results[other, column].metrics[metric] else worse
        p_values.append(p)
    return replace(
        cell,
        queries=result.queries,
        percent=round(100 * value, 6),
        marks=marks,
        p_baseline=p_values[0],
        p_second_baseline=p_values[1],
    )


def _with_standings(column: Sequence[Cell]) -> list[Cell]:
    """Best and second best of each backbone's block; cells that show the same figure share a standing."""
    standings: dict[str, dict[str, str]] = {}
    for backbone in {cell.backbone for cell in column}:
        shown = {cell.shown for cell in column if cell.backbone == backbone and cell.shown}
        if len(shown) > 1:
            best, second = sorted(shown, key=float, reverse=True)[:2]
            standings[backbone] = {best: "best", second: "second"}
    return [replace(cell, standing=standings.get(cell.backbone, {}).get(cell.shown, "")) for cell in column]


def write_csv(path: Path | str, cells: Sequence[Cell]) -> None:
    """One line a cell, its attributes as columns, and last the difference from the paper's figure."""
    names = [field.name for field in fields(Cell)] + ["difference"]
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for cell in cells:
            difference = cell.difference
            writer.writerow(asdict(cell) | {"difference": None if difference is None else round(difference, 6)})


def read_csv(path: Path | str) -> list[Cell]:
    """The cells that ``write_csv`` wrote."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return [_parsed(line) for line in csv.DictReader(file)]


def _parsed(line: Mapping[str, str]) -> Cell:
    values: dict[str, Any] = {name: text for name, text in line.items() if name != "difference"}
    values["queries"] = int(line["queries"]) if line["queries"] else None
    values["doubtful"] = line["doubtful"] == "True"
    for name in ("percent", "p_baseline", "p_second_baseline", "published"):
        values[name] = float(line[name]) if line[name] else None
    return Cell(**values)


def columns_of(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Name and metric of each column, in the order in which the cells name them."""
    return list(dict.fromkeys((cell.column, cell.metric) for cell in cells))


def metric_name(metric: str) -> str:
    """A metric as papers write it: ``ndcg@10`` → ``nDCG@10``."""
    name, _, depth = metric.partition("@")
    known = METRICS.get(name) or ANSWER_METRICS.get(name)
    return (known.label if known else name) + (f"@{depth}" if depth else "")


def training_name(training: str) -> str:
    """A training as the tables show it."""
    return "BM25" if training == BM25 else training


def _by_name_and_depth(metric: str) -> tuple[str, int]:
    name, _, depth = metric.partition("@")
    return name, int(depth or 0)
