"""Compare labels with the human positives of their pool: precision, recall, agreement, position bias, outcomes."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.labels.quality import QualitySettings, label_quality
from utility_annotation.settings import from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help='JSON: {"labels": name, "source": …, "annotator": …}')
    parser.add_argument("--labels", required=True, type=Path, help="labels (parquet)")
    parser.add_argument("--pool", required=True, nargs="+", type=Path, help="the pool's shards")
    parser.add_argument("--annotation", nargs="*", type=Path, default=[], help="shards of the labels' annotation")
    parser.add_argument(
        "--relevance",
        nargs="*",
        type=Path,
        default=[],
        help="shards of the relevance selection that narrowed what the labels' annotation was shown, if any",
    )
    parser.add_argument("--output", required=True, type=Path, help="figures (JSON)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(QualitySettings, arguments.settings)
    quality = label_quality(settings, arguments.labels, arguments.pool, arguments.annotation, arguments.relevance)
    write_json(arguments.output, quality)


if __name__ == "__main__":
    run_script(main)
