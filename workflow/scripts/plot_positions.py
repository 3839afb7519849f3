"""Figure: where in the lists shown to the LLM the selected passages stand, and the human positives."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import read_json
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.figures import plot_positions


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quality", required=True, nargs="+", type=Path, help="quality of label sets (JSON)")
    parser.add_argument("--output-svg", required=True, type=Path, help="the figure")
    parser.add_argument("--output-png", required=True, type=Path, help="the figure, as pixels")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    qualities: list[Any] = [read_json(path) for path in arguments.quality]
    plot_positions(qualities, arguments.output_svg, arguments.output_png)


if __name__ == "__main__":
    run_script(main)
