"""Utility selection: an LLM picks the relevant passages that help to produce the pseudo-answer."""

from __future__ import annotations

from utility_annotation.annotation.command import judge_utility
from utility_annotation.annotation.utility import selection_stage
from utility_annotation.common.errors import run_script


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    judge_utility(__doc__, argv, "utilsel", selection_stage)


if __name__ == "__main__":
    run_script(main)
