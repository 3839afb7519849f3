"""Train a retriever on a labelled pool; started by torchrun it uses all its processes, else one."""

from __future__ import annotations

import argparse
from pathlib import Path

import transformers
from pydantic import Field

from utility_annotation.common.devices import use_threads
from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.settings import Backbone, Performance, Settings, Training, from_json
from utility_annotation.training.trainer import Inputs, train


class TrainSettings(Settings):
    """What decides the model."""

    training: Training = Field(description="The training.")
    backbone: Backbone = Field(description="The encoder.")


def main(argv: list[str] | None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help='JSON: {"training": {...}, "backbone": {...}}')
    parser.add_argument("--performance", default="{}", help="JSON of the performance section")
    parser.add_argument("--model", required=True, type=Path, help="model folder to start from (or a first stage's)")
    parser.add_argument("--labels", required=True, type=Path, help="labels.parquet")
    parser.add_argument("--pool", required=True, type=Path, nargs="+", help="the shards of the labelled pool")
    parser.add_argument("--checkpoints", required=True, type=Path, help="scratch folder that survives a kill")
    parser.add_argument("--output", required=True, type=Path, help="model folder to write")
    arguments = parser.parse_args(argv)
    settings = from_json(TrainSettings, arguments.settings)
    performance = from_json(Performance, arguments.performance)
    log_to_stderr()
    transformers.utils.logging.disable_progress_bar()
    use_threads(performance.threads)
    train(
        Inputs(arguments.model, arguments.labels, tuple(arguments.pool)),
        settings.training,
        settings.backbone,
        performance.train,
        checkpoints=arguments.checkpoints,
        output=arguments.output,
    )


if __name__ == "__main__":
    run_script(main)
