"""Read the questions of a split."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from utility_annotation.configuration import Split
from utility_annotation.errors import run_script
from utility_annotation.ingest import ingest_queries


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a split of a dataset, as JSON")
    parser.add_argument("--output", required=True, type=Path, help="queries (parquet)")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    ingest_queries(Split.model_validate_json(arguments.settings), arguments.output)


if __name__ == "__main__":
    run_script(main)
