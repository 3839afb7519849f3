"""Search a corpus with BM25 (Anserini)."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.io.formats.trec import write_run
from utility_annotation.io.schemas import QUERIES, RUN
from utility_annotation.retrieval import bm25
from utility_annotation.settings import Bm25, Performance, Settings, from_json


class Bm25SearchSettings(Settings):
    """What decides the run, beside the index."""

    bm25: Bm25
    depth: int
    drop_query_document: bool


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="bm25, depth and drop_query_document, as JSON")
    parser.add_argument("--performance", required=True, help="section `performance`, as JSON")
    parser.add_argument("--index", required=True, type=Path, help="index (folder)")
    parser.add_argument("--queries", required=True, type=Path, help="queries (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet)")
    parser.add_argument("--output-trec", required=True, type=Path, help="the same as a TREC run")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(Bm25SearchSettings, arguments.settings)
    performance = from_json(Performance, arguments.performance)
    queries = QUERIES.read(arguments.queries)
    run = bm25.search(
        arguments.index,
        queries["query_id"].to_pylist(),
        queries["text"].to_pylist(),
        settings.bm25,
        depth=settings.depth,
        drop_query_document=settings.drop_query_document,
        threads=performance.threads,
    )
    RUN.write(arguments.output, run)
    write_run(arguments.output, arguments.output_trec, tag="bm25")


if __name__ == "__main__":
    run_script(main)
