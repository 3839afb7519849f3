"""Make the pool of a split: name duplicates, mine negatives, and write the candidates of every question in shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.planning import document_jobs, jobs, pools
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.pools.build import build_pool
from utility_annotation.pools.duplicates import name_duplicates
from utility_annotation.pools.mining import mine
from utility_annotation.pools.shards import shard_files


def duplicates(arguments: argparse.Namespace) -> None:
    """Name the passages found for a question that say the same, word for word or nearly."""
    configuration = configuration_of(arguments)
    settings = jobs.find_duplicates(configuration, pool=arguments.pool)
    runs = list(map(Path, pools.rankings(configuration, pool=arguments.pool)))
    name_duplicates(
        settings.depth,
        arguments.queries,
        arguments.qrels,
        runs,
        arguments.corpus,
        arguments.output,
        settings.relevance_level,
    )


def negatives(arguments: argparse.Namespace) -> None:
    """Write rows of ids from human judgements and the passages that retrievers rank highest."""
    configuration = configuration_of(arguments)
    settings = jobs.mine_negatives(configuration, pool=arguments.pool)
    runs = list(map(Path, pools.rankings(configuration, pool=arguments.pool)))
    mine(settings, arguments.queries, arguments.qrels, runs, arguments.corpus, arguments.output, arguments.duplicates)


def build(arguments: argparse.Namespace) -> None:
    """Write the shards of a pool."""
    settings = jobs.build_pool(configuration_of(arguments), pool=arguments.pool)
    build_pool(settings, shard_files(arguments.output, settings.shards), arguments.corpus)


def sample(arguments: argparse.Namespace) -> None:
    """Write the shards of a pool of passages without questions."""
    from utility_annotation.pools.sampling import sample_passages

    settings = document_jobs.sample_passages(configuration_of(arguments), pool=arguments.pool)
    outputs = shard_files(arguments.output, settings.shards)
    sample_passages(settings.source, arguments.corpus, arguments.origins, outputs)


def divide(arguments: argparse.Namespace) -> None:
    """Write the shards of a part of a pool."""
    from utility_annotation.labels.by_selector import of_shards
    from utility_annotation.pools.divide import divide as write_part

    configuration, name = configuration_of(arguments), arguments.pool
    settings = jobs.divide_pool(configuration, pool=name)
    of_selector = None
    if settings.method is not None:
        (calibration,) = map(Path, pools.unsure_calibration(configuration, pool=name))
        scores = list(map(Path, pools.unsure_scores(configuration, pool=name)))
        of_selector = of_shards(settings.method, scores, calibration)
    parents = list(map(Path, pools.parent_shards(configuration, pool=name)))
    write_part(settings.source, parents, shard_files(arguments.output, settings.shards), of_selector)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    for run in (duplicates, negatives):
        parser = commands.add(run, run.__name__)
        parser.add_argument("--pool", required=True, help="a name from `pools`, whose retrievers' runs are read")
        parser.add_argument("--queries", type=Path, required=True, help="the split's questions (parquet)")
        parser.add_argument("--qrels", type=Path, nargs="?", help="the split's qrels (parquet), if it has any")
        parser.add_argument("--corpus", type=Path, required=True, help="the dataset's corpus (parquet)")
        if run is negatives:
            parser.add_argument("--duplicates", type=Path, nargs="?", help="copies that are left out (parquet)")
        parser.add_argument("--output", type=Path, required=True, help="file to write (parquet, or JSON lines)")
    parser = commands.add(build, "build")
    parser.add_argument("--pool", required=True, help="a name from `pools`")
    parser.add_argument("--corpus", type=Path, nargs="?", help="the corpus (parquet), for rows that hold ids only")
    parser.add_argument("--output", type=Path, required=True, help="folder of the shards to write (parquet)")
    parser = commands.add(sample, "sample")
    parser.add_argument("--pool", required=True, help="a name from `pools`, of format passages")
    parser.add_argument("--corpus", type=Path, required=True, help="the dataset's corpus (parquet)")
    parser.add_argument("--origins", type=Path, nargs="?", help="the documents of its passages (parquet), if any")
    parser.add_argument("--output", type=Path, required=True, help="folder of the shards to write (parquet)")
    parser = commands.add(divide, "divide")
    parser.add_argument("--pool", required=True, help="a name from `pools`, of format pool")
    parser.add_argument("--output", type=Path, required=True, help="folder of the shards to write (parquet)")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
