"""The table of retrievers against test sets: figures in percent, significance marks, best and second best.

Significance (paper, tables 2 and 3): two-sided paired t-test over the queries, within the same backbone; ``+`` and
``−`` against the baseline (Human), ``†`` for better than the second baseline (REPLUG).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..configuration import BM25, UNTRAINED, RetrievalTable
from ..errors import InputError
from ..evaluation.significance import paired_t_test, per_query_values
from ..files import read_json, replacing

Row = tuple[str, str]
"""Backbone and run."""

_METRIC_NAMES = {"mrr": "MRR", "ndcg": "nDCG", "recall": "Recall", "map": "MAP", "precision": "Precision"}


@dataclass(frozen=True)
class Cell:
    """One retriever, one test set, one metric.

    Attributes:
        queries: number of queries averaged over; None where nothing was computed.
        percent: the metric times 100; None where it was not computed.
        standing: ``best`` or ``second`` of its column within its backbone's block, as far as one decimal shows.
        marks: any of ``+``, ``−``, ``†``.
        p_baseline: p-value against the baseline; None where there is nothing to compare.
        p_second_baseline: p-value against the second baseline.
    """

    backbone: str
    run: str
    testset: str
    metric: str
    queries: int | None = None
    percent: float | None = None
    standing: str = ""
    marks: str = ""
    p_baseline: float | None = None
    p_second_baseline: float | None = None

    @property
    def shown(self) -> str:
        """The figure with one decimal, or nothing."""
        return "" if self.percent is None else f"{self.percent:.1f}"


@dataclass(frozen=True)
class Result:
    """The metrics of one run on one test set, and where its per-query values are."""

    queries: int
    metrics: Mapping[str, float]
    per_query: Path | None


def table_rows(settings: RetrievalTable) -> list[Row]:
    """The rows of a table from top to bottom: BM25, then each backbone's runs, the untrained one first."""
    runs = sorted(settings.runs, key=lambda run: run != UNTRAINED)
    rows = [(backbone, run) for backbone in settings.backbones for run in runs]
    return [(BM25, BM25), *rows] if settings.with_bm25 else rows


def read_results(
    settings: RetrievalTable, metrics: Sequence[Path | str], per_query: Sequence[Path | str] | None = None
) -> dict[tuple[Row, str], Result]:
    """(row, test set) → result, from metrics files; the i-th per-query file belongs to the i-th metrics file.

    Raises:
        InputError: a file does not belong to the table, is given twice, or lacks its per-query file.
    """
    if per_query is not None and len(per_query) != len(metrics):
        raise InputError(
            f"{len(metrics)} metrics files stand beside {len(per_query)} files of per-query values.",
            mend="give one of each for each run and test set, in the same order.",
        )
    wanted = {(row, testset) for row in table_rows(settings) for testset in settings.testsets}
    results: dict[tuple[Row, str], Result] = {}
    for path, values in zip_longest(metrics, per_query or ()):
        found: Any = read_json(path)
        place = ((found["backbone"], found["run"]), found["testset"])
        if place not in wanted or place in results:
            what = "is given twice for" if place in results else "has no place in"
            raise InputError(
                f"run {found['run']} of backbone {found['backbone']} on test set {found['testset']} {what} the table.",
                mend="give the metrics of the table's own backbones, runs and test sets, once each.",
                path=path,
            )
        results[place] = Result(found["queries"], found["metrics"], None if values is None else Path(values))
    return results


def table_columns(settings: RetrievalTable, results: Mapping[tuple[Row, str], Result]) -> list[tuple[str, str]]:
    """Test set and metric of each column, test sets in the table's order, metrics by name and depth."""
    columns = []
    for testset in settings.testsets:
        known = {metric for (_, of), result in results.items() if of == testset for metric in result.metrics}
        columns += [(testset, metric) for metric in sorted(known, key=_by_name_and_depth)]
    return columns


def retrieval_table(
    settings: RetrievalTable, metrics: Sequence[Path | str], per_query: Sequence[Path | str]
) -> list[Cell]:
    """All cells, row by row; a cell that was not computed is empty.

    Raises:
        InputError: see ``read_results``; or two runs that are to be compared have other queries.
    """
    results = read_results(settings, metrics, per_query)

    @cache
    def p_value(row: Row, other: Row, testset: str, metric: str) -> float | None:
        """Paired t-test of two rows; None where one of them was not computed, or for a row against itself."""
        ours, theirs = results.get((row, testset)), results.get((other, testset))
        if row == other or not ours or not theirs or metric not in ours.metrics or metric not in theirs.metrics:
            return None
        return paired_t_test(values(ours.per_query, metric), values(theirs.per_query, metric))

    values = cache(per_query_values)
    cells = []
    for testset, metric in table_columns(settings, results):
        column = [_cell(settings, row, testset, metric, results, p_value) for row in table_rows(settings)]
        cells += _with_standings(column)
    order = {row: place for place, row in enumerate(table_rows(settings))}
    return sorted(cells, key=lambda cell: order[cell.backbone, cell.run])


def _cell(
    settings: RetrievalTable,
    row: Row,
    testset: str,
    metric: str,
    results: Mapping[tuple[Row, str], Result],
    p_value: Callable[[Row, Row, str, str], float | None],
) -> Cell:
    result = results.get((row, testset))
    if result is None or metric not in result.metrics:
        return Cell(*row, testset, metric)
    value, marks, p_values = result.metrics[metric], "", []
    baselines = ((settings.baseline, "+", "−"), (settings.second_baseline, "†", ""))
    for baseline, better, worse in baselines:
        other = (row[0], baseline or "")
        p = None if baseline is None or row == (BM25, BM25) else p_value(row, other, testset, metric)
        if p is not None and p < settings.significance_level:
            marks += better if value > results[other, testset].metrics[metric] else worse
        p_values.append(p)
    return Cell(*row, testset, metric, result.queries, round(100 * value, 6), "", marks, *p_values)


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
    """One line a cell, its attributes as columns."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Cell)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, cells))


def read_csv(path: Path | str) -> list[Cell]:
    """The cells that ``write_csv`` wrote."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return [_parsed(line) for line in csv.DictReader(file)]


def _parsed(line: Mapping[str, str]) -> Cell:
    values: dict[str, Any] = dict(line)
    values["queries"] = int(line["queries"]) if line["queries"] else None
    for name in ("percent", "p_baseline", "p_second_baseline"):
        values[name] = float(line[name]) if line[name] else None
    return Cell(**values)


def markdown(settings: RetrievalTable, cells: Sequence[Cell]) -> str:
    """The table as Markdown, with its title and legend: best in bold, second best underlined, marks raised."""
    columns = columns_of(cells)
    by_place = {(cell.backbone, cell.run, cell.testset, cell.metric): cell for cell in cells}
    head = ["backbone", "run", *(f"{testset} {metric_name(metric)}" for testset, metric in columns)]
    lines = [_line(head), _line(["---", "---", *["---:"] * len(columns)])]
    previous = ""
    for backbone, run in dict.fromkeys((cell.backbone, cell.run) for cell in cells):
        block = "" if backbone in (previous, BM25) else backbone
        figures = [_markdown_figure(by_place[backbone, run, testset, metric]) for testset, metric in columns]
        lines.append(_line([block, run_name(run), *figures]))
        previous = backbone
    return "\n".join([f"## {settings.title}", "", *lines, "", *(f"- {note}" for note in legend(settings, cells)), ""])


def legend(settings: RetrievalTable, cells: Sequence[Cell]) -> list[str]:
    """What the reader of a table has to know, a sentence or two an entry."""
    queries = {cell.testset: cell.queries for cell in cells if cell.queries is not None}
    notes = [
        "Percent. Within a backbone's block, bold is best and underlined second best. An empty cell was not computed.",
        "Queries: " + ", ".join(f"{testset} {number}" for testset, number in queries.items()) + ".",
    ]
    if settings.baseline:
        notes.append(f"+ and −: significantly better or worse than {settings.baseline} of the same backbone.")
    if settings.second_baseline:
        notes.append(f"†: significantly better than {settings.second_baseline} of the same backbone.")
    if settings.baseline or settings.second_baseline:
        notes.append(f"Significance: two-sided paired t-test over the queries, p < {settings.significance_level:g}.")
    return notes


def columns_of(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Test set and metric of each column, in the order in which the cells name them."""
    return list(dict.fromkeys((cell.testset, cell.metric) for cell in cells))


def metric_name(metric: str) -> str:
    """A metric as papers write it: ``ndcg@10`` → ``nDCG@10``."""
    name, _, depth = metric.partition("@")
    return _METRIC_NAMES.get(name, name) + (f"@{depth}" if depth else "")


def run_name(run: str) -> str:
    """A run as the tables show it."""
    return "BM25" if run == BM25 else run


def _by_name_and_depth(metric: str) -> tuple[str, int]:
    name, _, depth = metric.partition("@")
    return name, int(depth or 0)


def _markdown_figure(cell: Cell) -> str:
    figure = {"best": f"**{cell.shown}**", "second": f"<u>{cell.shown}</u>"}.get(cell.standing, cell.shown)
    return figure + (f"<sup>{cell.marks}</sup>" if cell.marks else "")


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(texts) + " |"
