"""Make a pool's rows of ids from retrieved passages and human judgements."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.pools.mining import MiningSettings, mine
from utility_annotation.settings import from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help='JSON: {"format": …, "depth": …, "size": …}')
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--qrels", type=Path, nargs="?", help="the split's qrels, if it has any")
    parser.add_argument("--runs", type=Path, required=True, nargs="+", help="a run a retriever")
    parser.add_argument("--duplicates", type=Path, nargs="?", help="duplicates whose copies are left out (parquet)")
    parser.add_argument("--output", type=Path, required=True, help="JSONL to write")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(MiningSettings, arguments.settings)
    mine(settings, arguments.queries, arguments.qrels, arguments.runs, arguments.output, arguments.duplicates)


if __name__ == "__main__":
    run_script(main)
