"""Hand labels over in a format of others, with a card."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.exports.card import ExportSettings
from utility_annotation.exports.forms import FORMS
from utility_annotation.exports.labels import export_labels
from utility_annotation.settings import from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: the labels and what made them")
    parser.add_argument("--format", required=True, choices=FORMS, help="whose format")
    parser.add_argument("--labels", required=True, type=Path, help="labels (parquet)")
    parser.add_argument("--pool", required=True, nargs="+", type=Path, help="the pool's shards")
    parser.add_argument("--quality", required=True, type=Path, help="figures of the labels' quality (JSON)")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(ExportSettings, arguments.settings)
    export_labels(settings, arguments.format, arguments.labels, arguments.pool, arguments.quality, arguments.output)


if __name__ == "__main__":
    run_script(main)
