"""Prepare a model's folder (safetensors, tokenizer, record of its source) from a package, a folder or a hub."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr, waiting
from utility_annotation.io import models
from utility_annotation.settings import Model, from_json


def main(argv: list[str] | None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="the model, as JSON")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    model = from_json(Model, arguments.settings)
    with waiting(f"preparing {model.package or model.path or model.hub}"):
        models.prepare(model, arguments.output)


if __name__ == "__main__":
    run_script(main)
