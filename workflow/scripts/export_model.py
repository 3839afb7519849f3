"""Hand a trained retriever over: its folder with a card."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.exports.models import ModelExportSettings, export_model
from utility_annotation.settings import from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, help="JSON: the training's name, its labels, where its backbone is from"
    )
    parser.add_argument("--model", required=True, type=Path, help="folder of the trained model")
    parser.add_argument("--metrics", nargs="*", type=Path, default=[], help="its metrics files (JSON)")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(ModelExportSettings, arguments.settings)
    export_model(settings, arguments.model, arguments.metrics, arguments.output)


if __name__ == "__main__":
    run_script(main)
