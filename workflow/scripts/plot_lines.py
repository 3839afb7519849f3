"""Figure: a metric by a number that trainings differ in, with the points as CSV."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.lines import chart_points, plot_lines, write_points
from utility_annotation.settings import LineChart, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a section `line_charts`, as JSON")
    parser.add_argument(
        "--metrics", required=True, nargs="+", type=Path, help="metrics (JSON) of the chart's trainings"
    )
    parser.add_argument("--output-svg", required=True, type=Path, help="the figure")
    parser.add_argument("--output-png", required=True, type=Path, help="the figure, as pixels")
    parser.add_argument("--output-csv", required=True, type=Path, help="its points")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(LineChart, arguments.settings)
    points = chart_points(settings, arguments.metrics)
    write_points(arguments.output_csv, points)
    plot_lines(settings, points, arguments.output_svg, arguments.output_png)


if __name__ == "__main__":
    run_script(main)
