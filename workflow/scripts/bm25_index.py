"""Index a corpus for BM25 (Anserini)."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.retrieval import bm25
from utility_annotation.settings import Performance, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--performance", required=True, help="section `performance`, as JSON")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="index (folder)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    performance = from_json(Performance, arguments.performance)
    bm25.index(arguments.corpus, arguments.output, threads=performance.threads)


if __name__ == "__main__":
    run_script(main)
