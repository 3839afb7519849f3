"""Hand over labels in a format of others, or a trained retriever, with a card."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.exports.forms import FORMS
from utility_annotation.planning import exports as files
from utility_annotation.planning import jobs
from utility_annotation.planning import labels as label_files
from utility_annotation.planning.command import Commands, configuration_of


def labels(arguments: argparse.Namespace) -> None:
    """Write a label set in a format of others, with a card."""
    from utility_annotation.exports.labels import export_labels

    configuration, name = configuration_of(arguments), arguments.labels
    export_labels(
        jobs.export_labels(configuration, labels=name),
        arguments.format,
        Path(label_files.file(name)),
        list(map(Path, label_files.pool_shards(configuration, labels=name))),
        Path(label_files.quality(name)),
        arguments.output,
    )


def model(arguments: argparse.Namespace) -> None:
    """Write a trained retriever with a card."""
    from utility_annotation.exports.models import export_model

    configuration = configuration_of(arguments)
    names = {"backbone": arguments.backbone, "training": arguments.training}
    metrics = list(map(Path, files.shown_metrics(configuration, **names)))
    calibrations = list(map(Path, files.calibrations(configuration, **names)))
    settings = jobs.export_model(configuration, **names)
    export_model(settings, arguments.model, metrics, arguments.output, calibrations)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    parser = commands.add(labels, "labels")
    parser.add_argument("--labels", required=True, help="a name from `labels`")
    parser.add_argument("--format", required=True, choices=FORMS, help="whose format")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    parser = commands.add(model, "model")
    parser.add_argument("--backbone", required=True, help="a name from `backbones`")
    parser.add_argument("--training", required=True, help="a name from `trainings`")
    parser.add_argument("--model", required=True, type=Path, help="folder of the trained model")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
