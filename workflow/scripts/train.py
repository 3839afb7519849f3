"""Fine-tune a dense retriever on labels, in one or several processes (torchrun)."""

from __future__ import annotations

import argparse
from pathlib import Path

import transformers

from utility_annotation.common.devices import use_threads
from utility_annotation.common.errors import run_script
from utility_annotation.planning import jobs
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.pools.shards import shard_files
from utility_annotation.training.trainer import Inputs, train


def train_retriever(arguments: argparse.Namespace) -> None:
    """Train."""
    configuration = configuration_of(arguments)
    settings = jobs.train(configuration, backbone=arguments.backbone, training=arguments.training)
    shards = configuration.pools[configuration.labels[settings.training.labels].pool].shards
    transformers.utils.logging.disable_progress_bar()
    use_threads(configuration.performance.threads)
    train(
        Inputs(arguments.model, arguments.labels, tuple(shard_files(arguments.pool, shards)), settings.titles),
        settings.training,
        settings.backbone,
        configuration.performance.train,
        checkpoints=arguments.checkpoints,
        output=arguments.output,
    )


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    parser = commands.add(train_retriever)
    parser.add_argument("--training", required=True, help="a name from `trainings`")
    parser.add_argument("--backbone", required=True, help="a name from `backbones`")
    parser.add_argument("--model", required=True, type=Path, help="model folder to start from (or a first stage's)")
    parser.add_argument("--labels", required=True, type=Path, help="its labels (parquet)")
    parser.add_argument("--pool", required=True, type=Path, help="folder of the labelled pool's shards")
    parser.add_argument("--checkpoints", required=True, type=Path, help="scratch folder that survives a kill")
    parser.add_argument("--output", required=True, type=Path, help="model folder to write")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
