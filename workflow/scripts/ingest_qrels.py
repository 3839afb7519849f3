"""Read the relevance judgements of a split and check them against its corpus and queries."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.io.ingest import ingest_qrels
from utility_annotation.settings import Split, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a split of a dataset, as JSON")
    parser.add_argument("--corpus", required=True, type=Path, help="the dataset's corpus (parquet)")
    parser.add_argument("--queries", required=True, type=Path, help="the split's queries (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="qrels (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    ingest_qrels(from_json(Split, arguments.settings), arguments.corpus, arguments.queries, arguments.output)


if __name__ == "__main__":
    run_script(main)
