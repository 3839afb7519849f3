"""Write the report: a sample of the annotations, what labels took, and the page itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json, write_text
from utility_annotation.planning import jobs, pools, results
from utility_annotation.planning import report as files
from utility_annotation.planning.command import Commands, configuration_of


def sample(arguments: argparse.Namespace) -> None:
    """Collect questions of a pool with their passages and all that humans and annotators said of them."""
    from utility_annotation.reporting.cards import collect

    configuration, pool = configuration_of(arguments), arguments.pool
    truth = next(map(Path, pools.truth(configuration, pool=pool)), None)
    settings, shards = jobs.sample_annotations(configuration, pool=pool), configuration.pools[pool].shards
    write_json(arguments.output, collect(settings, Path("results"), shards, truth))


def cost(arguments: argparse.Namespace) -> None:
    """Count what the labels of a pool took: requests, tokens and hours of each stage of their annotation."""
    from utility_annotation.labels.cost import Records
    from utility_annotation.reporting.work import annotation_cost

    configuration, pool = configuration_of(arguments), arguments.pool
    records = Records(
        _paths(pools.shards(configuration, pool=pool)), _paths(files.annotation_shards(configuration, pool=pool))
    )
    write_json(arguments.output, annotation_cost(jobs.annotation_cost(configuration, pool=pool), records))


def page(arguments: argparse.Namespace) -> None:
    """Write one page, readable offline: what was run, the labels, the retrievers, the figures, annotations."""
    from utility_annotation.reporting.page import render

    configuration = configuration_of(arguments)
    html = render(
        arguments.template,
        configuration,
        quality=_paths(results.shown_quality(configuration)),
        tables=_paths(files.tables(configuration)),
        figures=_paths(results.all_figures(configuration)),
        trainings=_paths(files.training_records(configuration)),
        costs=_paths(files.costs(configuration)),
        samples=_paths(files.samples(configuration)),
    )
    write_text(arguments.output, html)


def _paths(names: Iterable[str]) -> list[Path]:
    return list(map(Path, names))


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    for run in (sample, cost):
        parser = commands.add(run, run.__name__)
        parser.add_argument("--pool", required=True, help="a name from `pools`")
        parser.add_argument("--output", required=True, type=Path, help="file to write (JSON)")
    parser = commands.add(page, "page")
    parser.add_argument("--template", required=True, type=Path, help="Jinja template, with its style and script beside")
    parser.add_argument("--output", required=True, type=Path, help="the page (HTML)")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
