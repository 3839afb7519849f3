"""Utility ranking: an LLM orders the relevant passages by how much they help to produce the pseudo-answer."""

from __future__ import annotations

from pathlib import Path

from utility_annotation.annotation import command
from utility_annotation.annotation.shard import keep_relevant, read_pool, with_answers
from utility_annotation.annotation.utility import ranking_stage
from utility_annotation.errors import run_script


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = command.parser(__doc__)
    parser.add_argument("--relsel", type=Path, required=True, help="relevance selection of this shard (parquet)")
    parser.add_argument("--answers", type=Path, required=True, help="pseudo-answers of this shard (parquet)")
    arguments = parser.parse_args(argv)
    relevant = keep_relevant(read_pool(arguments.pool), arguments.relsel)
    items = list(with_answers(relevant, arguments.answers))
    command.run(arguments, items, ranking_stage)


if __name__ == "__main__":
    run_script(main)
