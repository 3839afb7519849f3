"""Collect questions of a pool with their passages and all that humans and annotators said of them, for the report."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.cards import CardFiles, CardSettings, collect
from utility_annotation.settings import from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, help='JSON: {"pool": name, "questions": how many, "seed": …, "judges": […]}'
    )
    parser.add_argument("--pool", required=True, type=Path, help="folder of the pool's shards")
    parser.add_argument("--shards", required=True, type=int, help="their number")
    parser.add_argument(
        "--annotation",
        required=True,
        type=Path,
        help="folder of the pool's annotation: {annotator}/{stage}/{shard}.parquet",
    )
    parser.add_argument("--labels", required=True, type=Path, help="folder of the label sets: {labels}.parquet")
    parser.add_argument("--truth", type=Path, nargs="?", help="ground-truth answers (parquet), if there are any")
    parser.add_argument("--output", required=True, type=Path, help="the cards (JSON)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    files = CardFiles(arguments.pool, arguments.annotation, arguments.labels, arguments.shards, arguments.truth)
    write_json(arguments.output, collect(from_json(CardSettings, arguments.settings), files))


if __name__ == "__main__":
    run_script(main)
