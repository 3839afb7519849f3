"""Read corpora, questions, judgements and answers of the outside world into parquet files of our own schemas."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.io import ingest
from utility_annotation.planning import jobs
from utility_annotation.planning.command import Commands, configuration_of


def corpus(arguments: argparse.Namespace) -> None:
    """Read a corpus."""
    settings = jobs.ingest_corpus(configuration_of(arguments), dataset=arguments.dataset)
    ingest.ingest_corpus(settings, arguments.output)


def queries(arguments: argparse.Namespace) -> None:
    """Read a split's questions."""
    settings = jobs.ingest_queries(configuration_of(arguments), dataset=arguments.dataset, split=arguments.split)
    ingest.ingest_queries(settings, arguments.output)


def qrels(arguments: argparse.Namespace) -> None:
    """Read a split's judgements and check them against its questions and the corpus."""
    settings = jobs.ingest_qrels(configuration_of(arguments), dataset=arguments.dataset, split=arguments.split)
    ingest.ingest_qrels(settings, arguments.corpus, arguments.queries, arguments.output)


def answers(arguments: argparse.Namespace) -> None:
    """Read a split's ground-truth answers."""
    settings = jobs.ingest_answers(configuration_of(arguments), dataset=arguments.dataset, split=arguments.split)
    ingest.ingest_answers(settings, arguments.queries, arguments.output)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    for run in (corpus, queries, qrels, answers):
        parser = commands.add(run, run.__name__)
        parser.add_argument("--dataset", required=True, help="a name from `datasets`")
        if run is not corpus:
            parser.add_argument("--split", required=True, help="one of its splits")
        if run is qrels:
            parser.add_argument("--corpus", required=True, type=Path, help="the dataset's corpus (parquet)")
        if run in (qrels, answers):
            parser.add_argument("--queries", required=True, type=Path, help="the split's questions (parquet)")
        parser.add_argument("--output", required=True, type=Path, help="file to write (parquet)")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
