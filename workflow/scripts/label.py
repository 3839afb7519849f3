"""Label a pool, and compare its labels with the human positives."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json
from utility_annotation.labels.gains import GroundTruth
from utility_annotation.labels.quality import label_quality
from utility_annotation.labels.sources import Parts, make_labels
from utility_annotation.planning import jobs, labels
from utility_annotation.planning.command import Commands, configuration_of


def merge(arguments: argparse.Namespace) -> None:
    """Merge what one source, or several label sets, say of a pool into the labels of every candidate."""
    configuration, name = configuration_of(arguments), arguments.labels
    settings = jobs.merge_labels(configuration, labels=name)
    parts = Parts(
        pools=list(map(Path, labels.pool_shards(configuration, labels=name))),
        annotations=list(map(Path, labels.annotation_shards(configuration, labels=name))),
        doubts=list(map(Path, labels.doubt_shards(configuration, labels=name))),
        members=list(map(Path, labels.members(configuration, labels=name))),
        scores=list(map(Path, labels.scores(configuration, labels=name))),
        calibration=next(map(Path, labels.calibration(configuration, labels=name)), None),
        truth=_truth(settings.metric, labels.truth(configuration, labels=name)),
    )
    make_labels(settings, parts, arguments.output)


def _truth(metric: str | None, answers: Sequence[str]) -> GroundTruth | None:
    """What answers are compared with, where they are: the metric loads its packages then alone."""
    if metric is None:
        return None
    from utility_annotation.evaluation.answer_metrics import values_of
    from utility_annotation.io.answers import read_references

    (file,) = answers
    return GroundTruth(read_references(file), partial(values_of, metric))


def quality(arguments: argparse.Namespace) -> None:
    """Compare labels with the human positives: precision, recall, agreement, position bias, outcomes."""
    configuration, name = configuration_of(arguments), arguments.labels
    settings, pools = jobs.label_quality(configuration, labels=name), labels.pool_shards(configuration, labels=name)
    figures = label_quality(
        settings,
        Path(labels.file(name)),
        list(map(Path, pools)),
        list(map(Path, labels.annotation_shards(configuration, labels=name))),
        list(map(Path, labels.relevance_shards(configuration, labels=name))),
    )
    if settings.vote is not None:
        from utility_annotation.labels.vote import members_of_vote

        figures["members"] = members_of_vote(settings.vote, pools, labels.voters(configuration, labels=name))
    write_json(arguments.output, figures)


def agreement(arguments: argparse.Namespace) -> None:
    """Compare labels with another label set."""
    from utility_annotation.labels.against import agreement_of_labels

    write_json(arguments.output, agreement_of_labels(*(Path(labels.file(name)) for name in arguments.names)))


def grades(arguments: argparse.Namespace) -> None:
    """Compare the grades of labels with those of people."""
    from utility_annotation.labels.against_grades import agreement_of_grades

    configuration, name = configuration_of(arguments), arguments.labels
    (people,) = labels.people(configuration, labels=name)
    pools = list(map(Path, labels.pool_shards(configuration, labels=name)))
    write_json(arguments.output, agreement_of_grades(Path(labels.file(name)), pools, Path(people)))


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    for run in (merge, quality, grades):
        parser = commands.add(run, run.__name__)
        parser.add_argument("--labels", required=True, help="a name from `labels`")
        parser.add_argument("--output", required=True, type=Path, help="file to write (parquet, or JSON)")
    parser = commands.add(agreement, "agreement")
    parser.add_argument("--names", required=True, nargs=2, help="two names from `labels`")
    parser.add_argument("--output", required=True, type=Path, help="file to write (JSON)")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
