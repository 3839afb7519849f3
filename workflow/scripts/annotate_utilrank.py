"""Utility ranking: an LLM orders the relevant passages by how much they help to produce the pseudo-answer."""

from __future__ import annotations

from utility_annotation.annotation.command import judge_utility
from utility_annotation.annotation.utility import ranking_stage
from utility_annotation.common.errors import run_script


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    judge_utility(__doc__, argv, "utilrank", ranking_stage)


if __name__ == "__main__":
    run_script(main)
