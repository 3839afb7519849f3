"""Figure: distribution of positives a query for the label sets of a chart."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import read_json
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.figures import plot_labels
from utility_annotation.settings import LabelChart, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a section `label_charts`, as JSON")
    parser.add_argument("--quality", required=True, nargs="+", type=Path, help="quality (JSON) of its label sets")
    parser.add_argument("--output-svg", required=True, type=Path, help="the figure")
    parser.add_argument("--output-png", required=True, type=Path, help="the figure, as pixels")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(LabelChart, arguments.settings)
    qualities: list[Any] = [read_json(path) for path in arguments.quality]
    plot_labels(settings, qualities, arguments.output_svg, arguments.output_png)


if __name__ == "__main__":
    run_script(main)
