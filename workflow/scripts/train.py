"""Fine-tune a dense retriever on labels, in one or several processes (torchrun)."""

from __future__ import annotations

import argparse
from pathlib import Path

import transformers

from utility_annotation.common.devices import use_threads
from utility_annotation.common.errors import InputError, run_script
from utility_annotation.evaluation import candidates
from utility_annotation.planning import jobs
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.pools.shards import shard_files
from utility_annotation.settings import Configuration
from utility_annotation.training.dev import DevInputs
from utility_annotation.training.trainer import Inputs, train


def train_retriever(arguments: argparse.Namespace) -> None:
    """Train."""
    configuration = configuration_of(arguments)
    settings = jobs.train(configuration, backbone=arguments.backbone, training=arguments.training)
    dev = None
    if settings.training.dev:
        if arguments.dev_labels is None or arguments.dev_pool is None:
            raise InputError(
                "this training has `dev`, but its questions are not given.", hint="give --dev-labels and --dev-pool."
            )
        pools = _shards(configuration, settings.training.dev.labels, arguments.dev_pool)
        dev = DevInputs(arguments.dev_labels, pools, bool(settings.dev_titles), candidates.MEANS["dev"])
    transformers.utils.logging.disable_progress_bar()
    use_threads(configuration.performance.threads)
    train(
        Inputs(
            arguments.model,
            arguments.labels,
            _shards(configuration, settings.training.labels, arguments.pool),
            settings.titles,
            dev,
        ),
        settings.training,
        settings.backbone,
        configuration.performance.train,
        checkpoints=arguments.checkpoints,
        events_folder=arguments.tensorboard,
        output=arguments.output,
    )


def _shards(configuration: Configuration, labels: str, folder: Path) -> tuple[Path, ...]:
    return tuple(shard_files(folder, configuration.pools[configuration.labels[labels].pool].shards))


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    parser = commands.add(train_retriever)
    parser.add_argument("--training", required=True, help="a name from `trainings`")
    parser.add_argument("--backbone", required=True, help="a name from `backbones`")
    parser.add_argument("--model", required=True, type=Path, help="model folder to start from (or a first stage's)")
    parser.add_argument("--labels", required=True, type=Path, help="its labels (parquet)")
    parser.add_argument("--pool", required=True, type=Path, help="folder of the labelled pool's shards")
    parser.add_argument("--dev-labels", nargs="?", type=Path, help="labels of questions that it is evaluated on")
    parser.add_argument("--dev-pool", nargs="?", type=Path, help="folder of their pool's shards")
    parser.add_argument("--checkpoints", required=True, type=Path, help="scratch folder that survives a kill")
    parser.add_argument("--tensorboard", required=True, type=Path, help="folder of the files for TensorBoard, if any")
    parser.add_argument("--output", required=True, type=Path, help="model folder to write")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
