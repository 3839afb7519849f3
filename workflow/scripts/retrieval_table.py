"""Table of retrievers against test sets, with significance marks, as Markdown and CSV."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.configuration import RetrievalTable, from_json
from utility_annotation.errors import run_script
from utility_annotation.files import write_text
from utility_annotation.progress import log_to_stderr
from utility_annotation.reporting.tables import markdown, retrieval_table, write_csv


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a section `tables`, as JSON")
    parser.add_argument(
        "--metrics", required=True, nargs="+", type=Path, help="metrics (JSON) of each run and test set"
    )
    parser.add_argument("--per-query", required=True, nargs="+", type=Path, help="per-query values, in the same order")
    parser.add_argument("--output-markdown", required=True, type=Path, help="the table to read")
    parser.add_argument("--output-csv", required=True, type=Path, help="a line a cell, with p-values")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(RetrievalTable, arguments.settings)
    cells = retrieval_table(settings, arguments.metrics, arguments.per_query)
    write_csv(arguments.output_csv, cells)
    write_text(arguments.output_markdown, markdown(settings, cells))


if __name__ == "__main__":
    run_script(main)
