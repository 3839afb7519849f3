"""Read the questions of a split."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.io.ingest import ingest_queries
from utility_annotation.settings import Split, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a split of a dataset, as JSON")
    parser.add_argument("--output", required=True, type=Path, help="queries (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    ingest_queries(from_json(Split, arguments.settings), arguments.output)


if __name__ == "__main__":
    run_script(main)
