"""Ask an LLM one stage of the annotation about the questions of a pool's shard."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.annotation.command import StageJob, run
from utility_annotation.annotation.items import read_items
from utility_annotation.annotation.names import TRUTH
from utility_annotation.annotation.stages import STAGES
from utility_annotation.common.errors import InputError, run_script
from utility_annotation.planning import jobs
from utility_annotation.planning.command import Commands, configuration_of


def annotate(arguments: argparse.Namespace) -> None:
    """Annotate a shard."""
    configuration = configuration_of(arguments)
    name, entry = arguments.stage, STAGES[arguments.stage]
    file = f"{arguments.shard}.parquet"
    read = {
        reads: _truth(arguments) if reads == TRUTH else arguments.annotation / reads / file for reads in entry.reads
    }
    settings = jobs.annotate(configuration, annotator=arguments.annotator, stage=name)
    items = read_items(arguments.pool / file, read, titles=settings.titles)
    output = arguments.annotation / name / file
    job = StageJob(name, arguments.model, arguments.prompt, arguments.store, output, output.with_suffix(".json"))
    run(job, settings, configuration.performance.of(arguments.annotator), items, entry.make)


def _truth(arguments: argparse.Namespace) -> Path:
    if arguments.truth is None:
        raise InputError(f"stage {arguments.stage} is given the ground-truth answers.", hint="name them with --truth.")
    truth: Path = arguments.truth
    return truth


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    parser = commands.add(annotate)
    parser.add_argument("--stage", required=True, choices=STAGES, help="what is asked")
    parser.add_argument("--annotator", required=True, help="a name from `annotators`")
    parser.add_argument("--model", type=Path, nargs="?", help="prepared model folder, if the annotator has a model")
    parser.add_argument("--prompt", type=Path, required=True, help="the stage's prompt template")
    parser.add_argument("--pool", type=Path, required=True, help="folder of the pool's shards")
    parser.add_argument("--shard", required=True, help="such as 0003-of-0064")
    parser.add_argument("--truth", type=Path, nargs="?", help="ground-truth answers of the split (parquet)")
    parser.add_argument("--store", type=Path, required=True, help="folder of the completion store")
    parser.add_argument(
        "--annotation",
        type=Path,
        required=True,
        help="folder of the annotator's annotation of the pool: earlier stages are read, and STAGE/SHARD.parquet and "
        ".json are written",
    )
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
