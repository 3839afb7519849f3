"""Figure: a table's trainings as bars, BM25 and the untrained backbones as lines."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.figures import plot_results
from utility_annotation.reporting.tables import read_results
from utility_annotation.settings import ResultsTable, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a section `tables`, as JSON")
    parser.add_argument("--metrics", required=True, nargs="+", type=Path, help="metrics (JSON) of each row and column")
    parser.add_argument("--output-svg", required=True, type=Path, help="the figure")
    parser.add_argument("--output-png", required=True, type=Path, help="the figure, as pixels")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(ResultsTable, arguments.settings)
    results = read_results(settings, arguments.metrics)
    plot_results(settings, results, arguments.output_svg, arguments.output_png)


if __name__ == "__main__":
    run_script(main)
