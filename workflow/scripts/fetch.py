"""Fetch a publisher's file, or link a copy of it, and check it."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.io.downloads import fetch
from utility_annotation.settings import Download, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a member of the section `downloads`, as JSON")
    parser.add_argument("--output", required=True, type=Path, help="where to put the file")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    fetch(from_json(Download, arguments.settings), arguments.output)


if __name__ == "__main__":
    run_script(main)
