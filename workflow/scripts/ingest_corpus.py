"""Read a corpus of the outside world."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.io.ingest import ingest_corpus
from utility_annotation.settings import Dataset, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a section `datasets`, as JSON")
    parser.add_argument("--output", required=True, type=Path, help="corpus (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    ingest_corpus(from_json(Dataset, arguments.settings), arguments.output)


if __name__ == "__main__":
    run_script(main)
