"""Name the passages found for a question that say the same."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.pools.duplicates import name_duplicates
from utility_annotation.settings import Settings, from_json


class DuplicateSettings(Settings):
    """What decides which passages are compared."""

    depth: int | None


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help='JSON: {"depth": …}')
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--qrels", type=Path, nargs="?", help="the split's qrels, if it has any")
    parser.add_argument("--runs", type=Path, required=True, nargs="+", help="a run a retriever")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="duplicates to write (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    name_duplicates(
        from_json(DuplicateSettings, arguments.settings).depth,
        arguments.queries,
        arguments.qrels,
        arguments.runs,
        arguments.corpus,
        arguments.output,
    )


if __name__ == "__main__":
    run_script(main)
