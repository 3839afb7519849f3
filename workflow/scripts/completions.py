"""Store admin: list completion stores, export one to another machine, prune duplicate and damaged records.

python workflow/scripts/completions.py list results/completions
python workflow/scripts/completions.py export results/completions/ANNOTATOR --output ANNOTATOR.jsonl.gz
python workflow/scripts/completions.py prune results/completions --dry-run

To import, copy an exported file, or another store's files, into the store's folder: every .jsonl and .jsonl.gz file
there is read. Jobs may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.engines.store_admin import Pruning, Summary, export, prune, stores, summarise


def table(summaries: list[Summary]) -> str:
    """The summaries as aligned columns, one row per store."""
    rows = [[name.replace("_", " ") for name in asdict(summaries[0])]]
    for summary in summaries:
        values = asdict(summary)
        for name in ("oldest", "newest"):
            values[name] = datetime.fromtimestamp(values[name], UTC).date() if values[name] else "unknown"
        rows.append([f"{value:,}" if isinstance(value, int) else str(value) for value in values.values()])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    )


def account(pruning: Pruning, dry_run: bool) -> str:
    """A sentence about what a prune did or would do."""
    removed = "would be removed" if dry_run else "removed"
    lines = [
        f"{pruning.folder}: {pruning.kept:,} records kept; {removed}: {pruning.duplicates:,} duplicates, "
        f"{pruning.dropped:,} cut off or damaged, {pruning.old:,} too old, {pruning.leftovers:,} half-written files"
    ]
    lines += [f"  left alone, a process may be writing to it: {path}" for path in pruning.in_use]
    return "\n".join(lines)


def days(text: str) -> float:
    """A number of days, not negative; raises ValueError."""
    value = float(text)
    if not value >= 0:
        raise ValueError(text)
    return value


def main(argv: list[str] | None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    several = argparse.ArgumentParser(add_help=False)
    several.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a store, or a folder of stores")

    listing = commands.add_parser(
        "list", parents=[several], help="what stores hold", description="What stores hold, one row per store."
    )
    listing.add_argument("--json", action="store_true", help="as JSON: bytes and Unix seconds")

    exporting = commands.add_parser(
        "export",
        help="copy a store into one file",
        description="Copy a store into one file, each key once. Put into another store's folder, it is read there.",
    )
    exporting.add_argument("folder", type=Path, metavar="FOLDER", help="a store")
    exporting.add_argument("--output", type=Path, required=True, help="file to write (.jsonl.gz or .jsonl)")

    pruning = commands.add_parser(
        "prune",
        parents=[several],
        help="delete duplicate and damaged records",
        description="Rewrite each store as one file, without duplicate, damaged and cut-off records. A kill loses no "
        "record, and files that a job is writing are left alone. On a file system whose locks do not reach other "
        "machines (some NFS and Lustre mounts), wait until no job runs. Finish copying files into the store first.",
    )
    pruning.add_argument(
        "--older-than",
        type=days,
        metavar="DAYS",
        help="also delete older records, even if a later job would use them: a record does not say which request it "
        "answers",
    )
    pruning.add_argument("--dry-run", action="store_true", help="only print what would be deleted")

    arguments = parser.parse_args(argv)
    log_to_stderr()
    if arguments.command == "list":
        summaries = [summarise(folder) for folder in stores(arguments.folders)]
        print(json.dumps([asdict(summary) for summary in summaries], indent=2) if arguments.json else table(summaries))
    elif arguments.command == "export":
        print(f"{export(arguments.folder, arguments.output):,} records in {arguments.output}")
    else:
        for folder in stores(arguments.folders):
            done = prune(folder, older_than=arguments.older_than, dry_run=arguments.dry_run)
            print(account(done, arguments.dry_run), flush=True)


if __name__ == "__main__":
    run_script(main)
