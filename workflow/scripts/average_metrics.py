"""Average a training's metrics over several test sets, each counting the same."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.evaluation.averages import average
from utility_annotation.io.schemas import PER_QUERY
from utility_annotation.settings import Name, Settings, from_json


class AverageSettings(Settings):
    """What the average is called."""

    average: Name


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="the average's name, as JSON")
    parser.add_argument("--metrics", required=True, nargs="+", type=Path, help="metrics (JSON) of each test set")
    parser.add_argument("--per-query", required=True, nargs="+", type=Path, help="per-query values, in the same order")
    parser.add_argument("--output", required=True, type=Path, help="metrics (JSON)")
    parser.add_argument("--output-per-query", required=True, type=Path, help="values of all queries (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    name = from_json(AverageSettings, arguments.settings).average
    figures, values = average(name, arguments.metrics, arguments.per_query)
    PER_QUERY.write(arguments.output_per_query, values)
    write_json(arguments.output, figures)


if __name__ == "__main__":
    run_script(main)
