"""Encode queries and search the shards of an encoded corpus exactly."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.devices import choose_device, use_threads
from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.io.formats.trec import write_run
from utility_annotation.io.schemas import QUERIES, RUN
from utility_annotation.retrieval.encoding import encode_queries
from utility_annotation.retrieval.search import search
from utility_annotation.settings import Backbone, Performance, Settings, from_json
from utility_annotation.training.encoder import Encoder


class SearchSettings(Settings):
    """What decides the run, beside the model's weights and the vectors."""

    backbone: Backbone
    depth: int
    drop_query_document: bool


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="backbone, depth and drop_query_document, as JSON")
    parser.add_argument("--performance", required=True, help="section `performance`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--queries", required=True, type=Path, help="queries (parquet)")
    parser.add_argument("--vectors", required=True, nargs="+", type=Path, help="vectors, a file a shard")
    parser.add_argument("--docids", required=True, nargs="+", type=Path, help="docids, a file a shard, in that order")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet)")
    parser.add_argument("--output-trec", required=True, type=Path, help="the same as a TREC run")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(SearchSettings, arguments.settings)
    performance = from_json(Performance, arguments.performance)
    use_threads(performance.threads)
    device = choose_device(performance.encode.device, performance.encode.gpus, "encode")
    encoder = Encoder.load(arguments.model, settings.backbone).to(device)
    queries = QUERIES.read(arguments.queries)
    query_ids, texts = queries["query_id"].to_pylist(), queries["text"].to_pylist()
    run = search(
        query_ids,
        encode_queries(encoder, query_ids, texts, batch_tokens=performance.encode.batch_tokens),
        arguments.vectors,
        arguments.docids,
        depth=settings.depth,
        drop_query_document=settings.drop_query_document,
        device=device,
        library=performance.encode.search,
    )
    RUN.write(arguments.output, run)
    write_run(arguments.output, arguments.output_trec, tag="dense")


if __name__ == "__main__":
    run_script(main)
