"""Write a table as Markdown, CSV and LaTeX: retrieval and question answering, label sets, or what labels cost."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import read_json, write_text
from utility_annotation.planning import jobs, work
from utility_annotation.planning import results as files
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.reporting.metrics import read_published
from utility_annotation.reporting.tables import Table, to_csv
from utility_annotation.reporting.writers import to_latex, to_markdown


def results(arguments: argparse.Namespace) -> None:
    """Retrievers against test sets and question answering, with significance marks."""
    from utility_annotation.reporting.results import result_cells, results_table

    configuration, name = configuration_of(arguments), arguments.table
    settings = jobs.results_table(configuration, table=name)
    paper = read_published(settings.table.published, arguments.published)
    qualities = _read(files.table_quality(configuration, table=name))
    copies = files.table_copies(configuration, table=name)
    cells = result_cells(settings, files.table_metrics(configuration, table=name), paper, qualities, copies)
    agreement = [
        group for path in files.agreement(configuration, table=name) for group in read_json(path, "groups")["groups"]
    ]
    _write(results_table(settings.table, cells, settings.shared_judges, agreement, settings.prices), arguments.output)


def labels(arguments: argparse.Namespace) -> None:
    """Label sets against human labels."""
    from utility_annotation.labels.cost import Records
    from utility_annotation.reporting.label_tables import label_cells, label_table

    configuration, name = configuration_of(arguments), arguments.table
    settings = jobs.label_table(configuration, label_table=name)
    qualities = _read(files.label_table_quality(configuration, label_table=name))
    paper = read_published(settings.table.published, arguments.published)
    records = Records(*work.label_table_recorded(configuration, label_table=name))
    agreement = _read(files.label_table_agreement(configuration, label_table=name))
    _write(label_table(settings.table, label_cells(settings, qualities, paper, agreement, records)), arguments.output)


def costs(arguments: argparse.Namespace) -> None:
    """What the labels of trainings cost, beside what the trainings reach."""
    from utility_annotation.labels.cost import Records
    from utility_annotation.reporting.cost_tables import cost_cells, cost_table

    configuration, name = configuration_of(arguments), arguments.table
    settings = jobs.cost_table(configuration, cost_table=name)
    records = Records(*work.cost_table_recorded(configuration, cost_table=name))
    metrics = files.cost_table_metrics(configuration, cost_table=name)
    paper = read_published(settings.table.published, arguments.published)
    cells = cost_cells(settings, records, metrics, paper)
    _write(cost_table(settings.table, settings.prices, cells, settings.shared_judges), arguments.output)


def _read(paths: Iterable[str]) -> list[Any]:
    return [read_json(path, "labels") for path in paths]


def _write(table: Table, output: Path) -> None:
    to_csv(table.cells, output.with_suffix(".csv"))
    write_text(output, to_markdown(table))
    write_text(output.with_suffix(".tex"), to_latex(table))


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    for run, section in ((results, "tables"), (labels, "label_tables"), (costs, "cost_tables")):
        parser = commands.add(run, run.__name__)
        parser.add_argument("--table", required=True, help=f"a name from `{section}`")
        parser.add_argument("--published", nargs="?", type=Path, help="the paper's figures, to stand beside ours")
        parser.add_argument("--output", required=True, type=Path, help="Markdown to write; .csv and .tex beside it")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
