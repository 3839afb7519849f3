"""Utility selection given the ground-truth answer: an LLM picks from the whole pool what helps to produce it.

Of several ground-truth answers the first listed counts, as in REPLUG.
"""

from __future__ import annotations

from pathlib import Path

from utility_annotation.annotation import command
from utility_annotation.annotation.items import read_pool
from utility_annotation.annotation.replug import with_truth
from utility_annotation.annotation.utility import selection_stage
from utility_annotation.common.errors import run_script


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = command.parser(__doc__)
    parser.add_argument("--truth", type=Path, required=True, help="ground-truth answers of the split (parquet)")
    arguments = parser.parse_args(argv)
    items = list(with_truth(read_pool(arguments.pool), arguments.truth))
    command.run(arguments, "utilsel-truth", items, selection_stage)


if __name__ == "__main__":
    run_script(main)
