"""Table of what the labels of trainings cost, beside what the models reach, as Markdown, CSV and LaTeX."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_text
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.labels.cost import Records
from utility_annotation.reporting.cost_tables import CostTableSettings, cost_table
from utility_annotation.reporting.published import figures_beside
from utility_annotation.settings import from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings",
        required=True,
        help='JSON: {"table": a section `cost_tables`, "prices": …, "work": training to work}',
    )
    parser.add_argument("--metrics", required=True, nargs="+", type=Path, help="metrics (JSON) of each training")
    parser.add_argument("--pool", nargs="*", type=Path, default=[], help="shards of the pools that humans worked on")
    parser.add_argument(
        "--annotation",
        nargs="*",
        type=Path,
        default=[],
        help="shards of all stages of the annotation, with their summaries (JSON) beside them",
    )
    parser.add_argument("--published", nargs="?", type=Path, help="the paper's figures, if they are to stand beside")
    parser.add_argument("--output-markdown", required=True, type=Path, help="the table to read")
    parser.add_argument("--output-csv", required=True, type=Path, help="a line a training and figure")
    parser.add_argument("--output-latex", required=True, type=Path, help="the table for a paper")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(CostTableSettings, arguments.settings)
    paper = figures_beside(settings.table.published, arguments.published)
    table = cost_table(settings, Records(arguments.pool, arguments.annotation), arguments.metrics, paper)
    table.write_csv(arguments.output_csv)
    write_text(arguments.output_markdown, table.markdown())
    write_text(arguments.output_latex, table.latex())


if __name__ == "__main__":
    run_script(main)
