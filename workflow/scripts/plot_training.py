"""Figure: loss by optimiser step of every training."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.figures import plot_training
from utility_annotation.reporting.trainings import TrainingRecord


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", required=True, nargs="+", type=Path, help="…/{backbone}/{training}/training.json")
    parser.add_argument("--output-svg", required=True, type=Path, help="the figure")
    parser.add_argument("--output-png", required=True, type=Path, help="the figure, as pixels")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    trainings = [TrainingRecord.read(path) for path in arguments.training]
    plot_training(trainings, arguments.output_svg, arguments.output_png)


if __name__ == "__main__":
    run_script(main)
