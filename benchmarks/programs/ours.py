"""The library's own work on generated input, as the scripts do it for a configured name.

python benchmarks/programs/ours.py pool|labels|encode|new-reranker|rerank|evaluate …
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr

METRICS = ("ndcg@10", "recall@100", "recall@1000", "map", "mrr")


def pool(arguments: argparse.Namespace) -> None:
    """Tevatron's rows to the shards of a pool."""
    from utility_annotation.pools.build import build_pool
    from utility_annotation.pools.shards import shard_files
    from utility_annotation.settings import Pool

    source = {"format": "tevatron", "path": str(arguments.input / "rows.jsonl")}
    settings = Pool.model_validate({"dataset": "generated", "source": source, "shards": arguments.shards})
    build_pool(settings, shard_files(arguments.output, arguments.shards))


def labels(arguments: argparse.Namespace) -> None:
    """Utility selections to labels."""
    from utility_annotation.labels.sources import Parts, make_labels
    from utility_annotation.settings import Labels

    pools, annotations = (sorted((arguments.input / kind).iterdir()) for kind in ("pool", "utilsel"))
    settings = Labels(pool="generated", source="utilsel", annotator="generated")
    make_labels(settings, Parts(pools, annotations), arguments.output)


def encode(arguments: argparse.Namespace) -> None:
    """A corpus to vectors."""
    from utility_annotation.common.devices import choose_device, use_threads
    from utility_annotation.retrieval.encoding import encode_corpus
    from utility_annotation.settings import Backbone
    from utility_annotation.training.encoder import Encoder

    use_threads(arguments.threads)
    backbone = Backbone(model="generated", pooling=arguments.pooling, normalize=True, passage_length=256)
    encoder = Encoder.load(arguments.model, backbone).to(choose_device("auto", 0, "encode"))
    docids = arguments.output.with_suffix(".parquet")
    encode_corpus(encoder, arguments.input / "corpus.parquet", "0000-of-0001", arguments.output, docids, batch_tokens=0)


PAIR_LENGTH = 256


def new_reranker(arguments: argparse.Namespace) -> None:
    """An encoder with a new layer for the score."""
    from utility_annotation.settings import Reranker
    from utility_annotation.training.cross_encoder import CrossEncoder

    settings = Reranker(model="generated", length=PAIR_LENGTH)
    CrossEncoder.load(arguments.model, settings, seed=0).save(arguments.output)


def rerank(arguments: argparse.Namespace) -> None:
    """A run to the same passages in another order; timed from its files to its own file."""
    from utility_annotation.common.devices import choose_device, use_threads
    from utility_annotation.io.schemas import RUN
    from utility_annotation.retrieval import reranking
    from utility_annotation.settings import Reranker
    from utility_annotation.training.cross_encoder import CrossEncoder

    use_threads(arguments.threads)
    model = CrossEncoder.load(arguments.input / "model", Reranker(model="generated", length=PAIR_LENGTH))
    model.to(choose_device("auto", 0, "encode"))
    list(reranking.score(model, ["a batch"] * 32, ["to warm up"] * 32))
    start = time.perf_counter()
    run, queries, corpus = (arguments.input / f"{name}.parquet" for name in ("run", "queries", "corpus"))
    depth = RUN.read(run)["rank"].to_numpy().max()
    RUN.write(
        arguments.output, reranking.rerank(model, run, queries, corpus, depth=depth, scratch=arguments.output.parent)
    )
    print(json.dumps({"work_seconds": time.perf_counter() - start}))


def evaluate(arguments: argparse.Namespace) -> None:
    """A run to metrics, a value per query."""
    from utility_annotation.evaluation.metrics import evaluate as evaluate_run
    from utility_annotation.io.schemas import PER_QUERY, QRELS, RUN

    qrels, run = QRELS.read(arguments.input / "qrels.parquet"), RUN.read(arguments.input / "run.parquet")
    PER_QUERY.write(arguments.output, evaluate_run(qrels, run, METRICS).per_query())


def main(argv: list[str] | None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    works = {
        "pool": pool,
        "labels": labels,
        "encode": encode,
        "new-reranker": new_reranker,
        "rerank": rerank,
        "evaluate": evaluate,
    }
    parser.add_argument("work", choices=works)
    parser.add_argument("--input", type=Path, required=True, help="folder of the generated input")
    parser.add_argument("--shards", type=int, default=1, help="pool: number of shards")
    parser.add_argument("--model", type=Path, help="encode, new-reranker: model folder")
    parser.add_argument("--pooling", default="mean", help="encode: pooling")
    parser.add_argument("--threads", type=int, default=1, help="encode, rerank: CPU threads")
    parser.add_argument("--output", type=Path, required=True, help="file or folder to write")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    works[arguments.work](arguments)


if __name__ == "__main__":
    run_script(main)
