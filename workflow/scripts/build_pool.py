"""Build a candidate pool from published positives and hard negatives."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.pools.build import build_pool
from utility_annotation.settings import Pool, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a section `pools`, as JSON")
    parser.add_argument("--corpus", type=Path, help="the dataset's corpus (parquet), for rows that hold ids only")
    parser.add_argument("--output", required=True, nargs="+", type=Path, help="the pool's shards (parquet), in order")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    build_pool(from_json(Pool, arguments.settings), arguments.output, arguments.corpus)


if __name__ == "__main__":
    run_script(main)
