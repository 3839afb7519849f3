"""REPLUG: the log-likelihood of the ground-truth answer given the query and each passage of the pool alone."""

from __future__ import annotations

from pathlib import Path

from utility_annotation.annotation import command
from utility_annotation.annotation.items import read_pool
from utility_annotation.annotation.replug import ReplugStage, with_truth
from utility_annotation.common.errors import run_script


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = command.parser(__doc__)
    parser.add_argument("--truth", type=Path, required=True, help="ground-truth answers of the split (parquet)")
    arguments = parser.parse_args(argv)
    items = list(with_truth(read_pool(arguments.pool), arguments.truth))
    command.run(arguments, "replug", items, lambda annotator, template: ReplugStage(template))


if __name__ == "__main__":
    run_script(main)
