"""Write one member of a tar archive to a path."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.io.archives import unpack


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", required=True, type=Path, help="tar archive, compressed or not")
    parser.add_argument("--member", required=True, help="name of a regular file in it")
    parser.add_argument("--output", required=True, type=Path, help="where to write it")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    unpack(arguments.archive, arguments.member, arguments.output)


if __name__ == "__main__":
    run_script(main)
