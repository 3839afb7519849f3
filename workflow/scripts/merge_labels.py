"""Label a pool: from the shards of one annotation stage, the human positives, other label sets, or a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.labels.files import label_from_file
from utility_annotation.labels.merge import merge_labels
from utility_annotation.labels.union import unite_labels
from utility_annotation.settings import Labels, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="a section `labels`, as JSON")
    parser.add_argument("--pool", required=True, nargs="+", type=Path, help="the pool's shards")
    parser.add_argument(
        "--annotation", nargs="*", type=Path, default=[], help="annotation strategies: its shards, named as the pool's"
    )
    parser.add_argument(
        "--members", nargs="*", type=Path, default=[], help="union: the label files of its members, in their order"
    )
    parser.add_argument("--output", required=True, type=Path, help="labels (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(Labels, arguments.settings)
    if settings.source == "union":
        unite_labels(settings, arguments.pool, arguments.members, arguments.output)
    elif settings.source == "file":
        label_from_file(settings, arguments.pool, arguments.output)
    else:
        merge_labels(settings, arguments.pool, arguments.annotation, arguments.output)


if __name__ == "__main__":
    run_script(main)
