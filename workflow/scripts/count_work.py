"""Count what the labels of a pool took, for the report: requests, tokens and hours of each stage."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.labels.cost import Records
from utility_annotation.pools.shards import shard_names
from utility_annotation.reporting.work import WorkSettings, annotation_cost
from utility_annotation.settings import from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, help='JSON: {"pool": name, "stages": […], "labels": {name: the work behind it}}'
    )
    parser.add_argument("--pool", required=True, type=Path, help="folder of the pool's shards")
    parser.add_argument("--shards", required=True, type=int, help="their number")
    parser.add_argument(
        "--annotation",
        nargs="*",
        type=Path,
        default=[],
        help="folders …/{pool}/{annotator}/{stage} of the shards, with their summaries (JSON) beside them",
    )
    parser.add_argument("--output", required=True, type=Path, help="the counts (JSON)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    names = [f"{shard}.parquet" for shard in shard_names(arguments.shards)]
    pools = [arguments.pool / name for name in names]
    annotations = [folder / name for folder in arguments.annotation for name in names]
    settings = from_json(WorkSettings, arguments.settings)
    write_json(arguments.output, annotation_cost(settings, Records(pools, annotations)))


if __name__ == "__main__":
    run_script(main)
