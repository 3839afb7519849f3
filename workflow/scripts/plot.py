"""Draw a figure as SVG and PNG: results, lines, labels, positives, positions, trainings or calibrations."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import read_json
from utility_annotation.planning import jobs, report
from utility_annotation.planning import results as files
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.reporting import figures
from utility_annotation.reporting.metrics import read_training
from utility_annotation.reporting.tables import read_csv, to_csv


def results(arguments: argparse.Namespace) -> None:
    """A table's figures as bars."""
    settings = jobs.results_table(configuration_of(arguments), table=arguments.figure)
    figures.plot_results(settings.table, read_csv(files.table_csv(arguments.figure)), arguments.output)


def lines(arguments: argparse.Namespace) -> None:
    """A metric by a number that trainings differ in."""
    configuration, name = configuration_of(arguments), arguments.figure
    settings = jobs.plot_lines(configuration, line_chart=name)
    quality = _read(files.line_chart_quality(configuration, line_chart=name))
    cells = figures.line_cells(settings, files.line_chart_metrics(configuration, line_chart=name), quality)
    to_csv(cells, arguments.output.with_suffix(".csv"))
    figures.plot_lines(settings, cells, arguments.output)


def labels(arguments: argparse.Namespace) -> None:
    """Distribution of positives per query of a chart's label sets."""
    configuration, name = configuration_of(arguments), arguments.figure
    settings = jobs.plot_labels(configuration, label_chart=name)
    quality = _read(files.label_chart_quality(configuration, label_chart=name))
    figures.plot_positives(quality, arguments.output, settings.title)


def positives(arguments: argparse.Namespace) -> None:
    """Distribution of positives per query of all label sets that are trained on."""
    quality = _read(files.shown_quality(configuration_of(arguments)))
    figures.plot_positives(figures.selected_by_llm(quality), arguments.output)


def positions(arguments: argparse.Namespace) -> None:
    """Where in the lists shown to the LLM the selected passages stand, and the human positives."""
    figures.plot_positions(_read(files.shown_quality(configuration_of(arguments))), arguments.output)


def training(arguments: argparse.Namespace) -> None:
    """Training loss by step of every shown training."""
    configuration = configuration_of(arguments)
    records = map(Path, report.training_records(configuration))
    seeds = files.shown_seeds(configuration)
    figures.plot_training(list(map(read_training, records)), seeds, arguments.output)


def calibration(arguments: argparse.Namespace) -> None:
    """Reliability of the calibrations of selected runs, and what each threshold keeps."""
    figures.plot_calibrations(_read(files.shown_calibrations(configuration_of(arguments))), arguments.output)


def _read(paths: Iterable[str]) -> list[Any]:
    return [read_json(path, "labels") for path in paths]


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    for run, section in (
        *((results, "tables"), (lines, "line_charts"), (labels, "label_charts")),
        *((positives, None), (positions, None), (training, None), (calibration, None)),
    ):
        parser = commands.add(run, run.__name__)
        if section:
            parser.add_argument("--figure", required=True, help=f"a name from `{section}`")
        parser.add_argument("--output", required=True, type=Path, help="SVG to write; PNG beside it")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
