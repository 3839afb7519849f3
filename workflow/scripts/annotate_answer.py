"""Pseudo-answer: an LLM answers each query from the passages of its relevance selection."""

from __future__ import annotations

from pathlib import Path

from utility_annotation.annotation import command
from utility_annotation.annotation.answers import AnswerStage
from utility_annotation.annotation.items import keep_relevant, read_pool
from utility_annotation.common.errors import run_script


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = command.parser(__doc__)
    parser.add_argument("--relsel", type=Path, required=True, help="relevance selection of this shard (parquet)")
    arguments = parser.parse_args(argv)
    items = list(keep_relevant(read_pool(arguments.pool), arguments.relsel))
    command.run(arguments, "answer", items, AnswerStage)


if __name__ == "__main__":
    run_script(main)
