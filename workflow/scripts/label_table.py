"""Table of label sets against human labels, as Markdown, CSV and LaTeX."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import read_json, write_text
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.label_tables import LabelTableSettings, label_table
from utility_annotation.reporting.published import figures_beside
from utility_annotation.settings import from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, help='JSON: {"table": a section `label_tables`, "labels": name to settings}'
    )
    parser.add_argument("--quality", required=True, nargs="+", type=Path, help="quality (JSON) of the label sets")
    parser.add_argument("--published", nargs="?", type=Path, help="the paper's figures, if they are to stand beside")
    parser.add_argument("--output-markdown", required=True, type=Path, help="the table to read")
    parser.add_argument("--output-csv", required=True, type=Path, help="a line a label set and figure")
    parser.add_argument("--output-latex", required=True, type=Path, help="the table for a paper")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(LabelTableSettings, arguments.settings)
    qualities: list[Any] = [read_json(path) for path in arguments.quality]
    paper = figures_beside(settings.table.published, arguments.published)
    table = label_table(settings, qualities, paper)
    table.write_csv(arguments.output_csv)
    write_text(arguments.output_markdown, table.markdown())
    write_text(arguments.output_latex, table.latex())


if __name__ == "__main__":
    run_script(main)
