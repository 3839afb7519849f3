"""List or cancel the SLURM jobs that an earlier `snakemake`, now gone, left in this folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.running.cluster import cancel, unfinished_jobs


def main(argv: list[str] | None) -> None:
    """Parse the command line and list or cancel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["list", "cancel"])
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="from which `snakemake` was started; by default here"
    )
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait until cancelled jobs are gone")
    arguments = parser.parse_args(argv)
    if arguments.what == "list":
        print("\n".join(unfinished_jobs(arguments.folder)) or "no jobs of this folder.")
        return
    jobs = cancel(arguments.folder, arguments.patience)
    print(f"{len(jobs)} jobs cancelled: {' '.join(jobs)}" if jobs else "no jobs of this folder.", file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
