"""Make training rows from human judgements and retrieved passages."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from utility_annotation.errors import run_script
from utility_annotation.mining import mine
from utility_annotation.progress import log_to_stderr


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help='{"size": positives and negatives of a query}')
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--qrels", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True, nargs="+", help="runs to take negatives from")
    parser.add_argument("--output", type=Path, required=True, help="JSONL to write")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    mine(arguments.queries, arguments.qrels, arguments.runs, json.loads(arguments.settings)["size"], arguments.output)


if __name__ == "__main__":
    run_script(main)
