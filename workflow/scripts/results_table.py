"""Table of retrievers against test sets and question answering, with significance marks, as Markdown, CSV and LaTeX."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_text
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.published import figures_beside
from utility_annotation.reporting.results_markup import latex, markdown
from utility_annotation.reporting.tables import results_table, write_csv
from utility_annotation.settings import ResultsTable, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a section `tables`, as JSON")
    parser.add_argument("--metrics", required=True, nargs="+", type=Path, help="metrics (JSON) of each row and column")
    parser.add_argument("--per-query", required=True, nargs="+", type=Path, help="per-query values, in the same order")
    parser.add_argument("--published", nargs="?", type=Path, help="the paper's figures, if they are to stand beside")
    parser.add_argument("--output-markdown", required=True, type=Path, help="the table to read")
    parser.add_argument("--output-csv", required=True, type=Path, help="a line a cell, with p-values")
    parser.add_argument("--output-latex", required=True, type=Path, help="the table for a paper")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(ResultsTable, arguments.settings)
    paper = figures_beside(settings.published, arguments.published)
    cells = results_table(settings, arguments.metrics, arguments.per_query, paper)
    write_csv(arguments.output_csv, cells)
    write_text(arguments.output_markdown, markdown(settings, cells))
    write_text(arguments.output_latex, latex(settings, cells))


if __name__ == "__main__":
    run_script(main)
