"""Judgements of the labelled questions: the positives of a label set, joined with human judgements if there are any."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.evaluation.merged_qrels import merge_qrels


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qrels", type=Path, nargs="?", help="human judgements (parquet), if they are to count")
    parser.add_argument("--labels", required=True, type=Path, help="labels (parquet)")
    parser.add_argument("--duplicates", type=Path, nargs="?", help="duplicates that the labelled pool lacks (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="judgements to write (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    merge_qrels(arguments.qrels, arguments.labels, arguments.output, arguments.duplicates)


if __name__ == "__main__":
    run_script(main)
