"""Relevance selection: an LLM picks the passages of each query's pool that are topically relevant."""

from __future__ import annotations

from utility_annotation.annotation import command
from utility_annotation.annotation.items import read_pool
from utility_annotation.annotation.relevance import relevance_stage
from utility_annotation.common.errors import run_script


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    arguments = command.parser(__doc__).parse_args(argv)
    command.run(arguments, "relsel", read_pool(arguments.pool), relevance_stage)


if __name__ == "__main__":
    run_script(main)
