"""Encode and search corpora with a trained retriever, index and search them with BM25, rerank what was found, or keep
the passages of use.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

from utility_annotation.common.code_digest import code_digest
from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json
from utility_annotation.common.importing import large_packages
from utility_annotation.io.formats.trec import write_run
from utility_annotation.io.schemas import QUERIES, RUN
from utility_annotation.planning import jobs, selection
from utility_annotation.planning import retrieval as files
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.planning.reranking import STAGE, annotator
from utility_annotation.selection.selected import counts
from utility_annotation.settings import BM25, RERANKED, SELECTED, canonical


def encode(arguments: argparse.Namespace) -> None:
    """Encode one shard of a corpus."""
    with large_packages():
        from utility_annotation.common.devices import choose_device, use_threads
        from utility_annotation.io.models import fingerprint
        from utility_annotation.retrieval.encoding import encode_corpus
        from utility_annotation.retrieval.kept_vectors import KeptVectors
        from utility_annotation.training.encoder import Encoder
    configuration = configuration_of(arguments)
    backbone = jobs.encode(configuration, backbone=arguments.backbone, length=arguments.length)
    performance = configuration.performance
    use_threads(performance.threads)
    device = choose_device(performance.encode.device, performance.encode.gpus, "encode")
    kept = None
    if arguments.kept is not None:
        rests_on = (canonical(backbone), fingerprint(arguments.model), code_digest(__file__, "encode"), device.type)
        kept = KeptVectors(arguments.kept, "\n".join(rests_on))
    encode_corpus(
        Encoder.load(arguments.model, backbone).to(device),
        arguments.corpus,
        arguments.shard,
        arguments.output / f"{arguments.shard}.npy",
        arguments.output / f"{arguments.shard}.docids.parquet",
        batch_tokens=performance.encode.batch_tokens,
        kept=kept,
    )


def search(arguments: argparse.Namespace) -> None:
    """Encode the questions and search the corpus exactly."""
    with large_packages():
        from utility_annotation.common.devices import choose_device, use_threads
        from utility_annotation.retrieval.encoding import encode_queries
        from utility_annotation.retrieval.search import search as search_exactly
        from utility_annotation.training.encoder import Encoder
    configuration = configuration_of(arguments)
    names = {"backbone": arguments.backbone, "testset": arguments.testset}
    settings, performance = jobs.search(configuration, **names), configuration.performance
    use_threads(performance.threads)
    device = choose_device(performance.encode.device, performance.encode.gpus, "encode")
    encoder = Encoder.load(arguments.model, settings.backbone).to(device)
    queries = QUERIES.read(arguments.queries)
    query_ids, texts = queries["query_id"].to_pylist(), queries["text"].to_pylist()
    names["training"] = arguments.training
    run = search_exactly(
        query_ids,
        encode_queries(encoder, query_ids, texts, batch_tokens=performance.encode.batch_tokens),
        list(map(Path, files.vectors(configuration, **names))),
        list(map(Path, files.docids(configuration, **names))),
        depth=settings.depth,
        drop_query_document=settings.drop_query_document,
        device=device,
        library=performance.encode.search,
    )
    RUN.write(arguments.output, run)
    write_run(arguments.output, arguments.output.with_suffix(".trec"), tag=f"{arguments.backbone}-{arguments.training}")


def rerank(arguments: argparse.Namespace) -> None:
    """Order the first passages of a ranking again."""
    with large_packages():
        from utility_annotation.common.devices import choose_device, use_threads
        from utility_annotation.retrieval import reranking, scorers
    configuration = configuration_of(arguments)
    settings, performance = jobs.rerank(configuration, reranked=arguments.reranked), configuration.performance
    use_threads(performance.threads)
    device = choose_device(performance.encode.device, performance.encode.gpus, "encode")
    model = scorers.load(arguments.model, settings.reranker).to(device)
    start = time.monotonic()
    run = reranking.rerank(
        model,
        arguments.run,
        arguments.queries,
        arguments.corpus,
        depth=settings.depth,
        scratch=arguments.output.parent,
        batch_tokens=performance.encode.batch_tokens,
    )
    seconds = time.monotonic() - start
    RUN.write(arguments.output, run)
    write_run(arguments.output, arguments.output.with_suffix(".trec"), tag=f"{RERANKED}-{arguments.reranked}")
    scored = counts(arguments.run, run, settings.depth)
    figures = {"queries": scored["queries"], "passages": scored["passages"], "seconds": round(seconds, 3)}
    write_json(arguments.output.with_suffix(".json"), figures | {"gpus": performance.encode.gpus})


def score_pool(arguments: argparse.Namespace) -> None:
    """Score the candidates of a pool's shard by a reranker."""
    with large_packages():
        from utility_annotation.common.devices import choose_device, use_threads
        from utility_annotation.retrieval import scorers
        from utility_annotation.selection import scoring
    configuration, output = configuration_of(arguments), arguments.output
    settings = jobs.score_pool(configuration, reranker=arguments.reranker, pool=arguments.pool)
    performance = configuration.performance
    use_threads(performance.threads)
    device = choose_device(performance.encode.device, performance.encode.gpus, "encode")
    model = scorers.load(arguments.model, settings.reranker).to(device)
    start = time.monotonic()
    number = scoring.score_pool(
        model, arguments.shard, output, titles=settings.titles, batch_tokens=performance.encode.batch_tokens
    )
    figures = {"candidates": number, "seconds": round(time.monotonic() - start, 3), "gpus": performance.encode.gpus}
    write_json(output.with_suffix(".json"), figures)


def calibrate(arguments: argparse.Namespace) -> None:
    """Make a reranker's scores probabilities, by the labels of questions that it was not trained on."""
    from utility_annotation.selection.held_out import check_held_out, labelled_scores
    from utility_annotation.selection.reliability import calibrate as fit

    check_held_out(arguments.held_out, arguments.trained)
    found = fit(*labelled_scores(arguments.held_out, arguments.scores))
    names = {"reranker": arguments.reranker, "training": arguments.training, "labels": arguments.labels}
    write_json(arguments.output, names | found)


def select(arguments: argparse.Namespace) -> None:
    """Keep the passages whose calibrated probability is high enough."""
    from utility_annotation.selection.selected import select as keep

    settings = jobs.select(configuration_of(arguments), selected=arguments.selected)
    output = arguments.output
    run = keep(
        arguments.run,
        arguments.calibration,
        method=settings.method,
        threshold=settings.threshold,
        depth=settings.depth,
    )
    RUN.write(output, run)
    write_run(output, output.with_suffix(".trec"), tag=f"{SELECTED}-{arguments.selected}")
    write_json(output.with_suffix(".json"), counts(arguments.run, run, settings.depth))


def select_by_llm(arguments: argparse.Namespace) -> None:
    """Keep the passages that an LLM selects."""
    from utility_annotation.annotation.command import StageJob, run
    from utility_annotation.retrieval.llm_reranking import first_passages
    from utility_annotation.selection.by_llm import make_stages
    from utility_annotation.selection.by_llm import select as keep

    configuration, output = configuration_of(arguments), arguments.output
    settings = jobs.select_by_llm(configuration, selected=arguments.selected)
    items = first_passages(
        arguments.queries, arguments.run, arguments.corpus, depth=settings.depth, titles=settings.annotator.titles
    )
    prompts = dict(zip(settings.stages, arguments.prompts, strict=True))
    work = partial(keep, run=arguments.run, depth=settings.depth, folder=arguments.annotation)
    files = (arguments.model, arguments.prompts[-1], arguments.store, output, output.with_suffix(".json"))
    performance = configuration.performance.of(selection.annotator(configuration, arguments.selected))
    run(StageJob(selection.STAGE, *files), settings.annotator, performance, items, partial(make_stages, prompts), work)
    write_run(output, output.with_suffix(".trec"), tag=f"{SELECTED}-{arguments.selected}")


def rerank_by_llm(arguments: argparse.Namespace) -> None:
    """Order the first passages of a ranking again, by an LLM."""
    from utility_annotation.annotation.command import StageJob, run
    from utility_annotation.retrieval.llm_reranking import first_passages, rerank, reranking_stage

    configuration, first, output = configuration_of(arguments), arguments.run, arguments.output
    settings = jobs.rerank_by_llm(configuration, reranked=arguments.reranked)
    performance = configuration.performance.of(annotator(configuration, arguments.reranked))
    items = first_passages(
        arguments.queries, first, arguments.corpus, depth=settings.depth, titles=settings.annotator.titles
    )
    work = partial(rerank, run=first, depth=settings.depth, window=settings.window, step=settings.step)
    job = StageJob(STAGE, arguments.model, arguments.prompt, arguments.store, output, output.with_suffix(".json"))
    run(job, settings.annotator, performance, items, reranking_stage, work)
    write_run(output, output.with_suffix(".trec"), tag=f"{RERANKED}-{arguments.reranked}")


def bm25_index(arguments: argparse.Namespace) -> None:
    """Index a corpus with Anserini."""
    from utility_annotation.retrieval import bm25

    threads = configuration_of(arguments).performance.threads
    bm25.index(arguments.corpus, arguments.output, threads=threads, memory_mb=arguments.memory)


def bm25_search(arguments: argparse.Namespace) -> None:
    """Search a corpus with BM25."""
    from utility_annotation.retrieval import bm25

    configuration = configuration_of(arguments)
    settings = jobs.bm25_search(configuration, bm25=arguments.bm25, testset=arguments.testset)
    queries = QUERIES.read(arguments.queries)
    run = bm25.search(
        arguments.index,
        queries["query_id"].to_pylist(),
        queries["text"].to_pylist(),
        settings.bm25,
        depth=settings.depth,
        drop_query_document=settings.drop_query_document,
        threads=configuration.performance.threads,
        memory_mb=arguments.memory,
    )
    RUN.write(arguments.output, run)
    tag = BM25 if arguments.bm25 == BM25 else f"{BM25}-{arguments.bm25}"
    write_run(arguments.output, arguments.output.with_suffix(".trec"), tag=tag)


def read_external_run(arguments: argparse.Namespace) -> None:
    """Take over a run that others made."""
    from utility_annotation.retrieval.external import external_run

    configuration, testset = configuration_of(arguments), arguments.testset
    settings = jobs.read_external_run(configuration, external_run=arguments.external_run, testset=testset)
    run = external_run(
        Path(settings.path),
        arguments.queries,
        depth=settings.depth,
        drop_query_document=settings.drop_query_document,
    )
    RUN.write(arguments.output, run)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    memory = "megabytes of the job, of which Java's heap takes three quarters (default: a quarter of the machine's)"
    parser = commands.add(encode, "encode")
    parser.add_argument("--backbone", required=True, help="a name from `backbones`")
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--length", default="", help="such as @350; empty for the backbone's own passage length")
    parser.add_argument("--shard", required=True, help="such as 0003-of-0064")
    parser.add_argument("--kept", type=Path, nargs="?", help="folder of vectors that outlive a run, if they do")
    parser.add_argument("--output", required=True, type=Path, help="folder for SHARD.npy (fp16), SHARD.docids.parquet")
    parser = commands.add(search, "search")
    parser.add_argument("--backbone", required=True, help="a name from `backbones`")
    parser.add_argument("--training", required=True, help="a name from `trainings`, or untrained")
    parser.add_argument("--testset", required=True, help="a name from `testsets`, whose corpus is encoded")
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--queries", required=True, type=Path, help="questions (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet); a TREC run is written beside it")
    parser = commands.add(rerank, "rerank")
    parser.add_argument("--reranked", required=True, help="a name from `reranked`")
    parser.add_argument("--model", required=True, type=Path, help="folder of the reranker's model")
    parser.add_argument("--run", required=True, type=Path, help="the first stage's run (parquet)")
    parser.add_argument("--queries", required=True, type=Path, help="questions (parquet)")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet); a TREC run is written beside it")
    parser = commands.add(score_pool, "score-pool")
    parser.add_argument("--reranker", required=True, help="a name from `rerankers` or `backbones`")
    parser.add_argument("--pool", required=True, help="a name from `pools`")
    parser.add_argument("--model", required=True, type=Path, help="folder of the reranker's model")
    parser.add_argument("--shard", required=True, type=Path, help="a shard of the pool (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="scores (parquet); .json is written beside")
    parser = commands.add(calibrate, "calibrate")
    parser.add_argument("--reranker", required=True, help="a name from `rerankers` or `backbones`")
    parser.add_argument("--training", required=True, help="a name from `trainings`, or untrained")
    parser.add_argument("--labels", required=True, help="a name from `labels`: those of the held-out questions")
    parser.add_argument("--held-out", required=True, type=Path, help="their file (parquet)")
    parser.add_argument("--scores", required=True, type=Path, nargs="+", help="scores of all shards of their pool")
    parser.add_argument("--trained", type=Path, nargs="*", default=[], help="labels of its training (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="calibration (JSON)")
    parser = commands.add(select, "select")
    parser.add_argument("--selected", required=True, help="a name from `selected`")
    parser.add_argument("--run", required=True, type=Path, help="the reranked run (parquet)")
    parser.add_argument("--calibration", required=True, type=Path, help="calibration of its scores (JSON)")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet); .trec and .json are written beside")
    parser = commands.add(select_by_llm, "select-by-llm")
    parser.add_argument("--selected", required=True, help="a name from `selected`")
    parser.add_argument("--model", type=Path, nargs="?", help="prepared model folder, if the annotator has a model")
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="the prompt template of each stage")
    parser.add_argument("--run", required=True, type=Path, help="the ranking (parquet)")
    parser.add_argument("--queries", required=True, type=Path, help="questions (parquet)")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--store", type=Path, required=True, help="folder of the completion store")
    parser.add_argument("--annotation", type=Path, required=True, help="folder for each stage's annotation (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet); .trec and .json are written beside")
    parser = commands.add(rerank_by_llm, "rerank-by-llm")
    parser.add_argument("--reranked", required=True, help="a name from `reranked`")
    parser.add_argument("--model", type=Path, nargs="?", help="prepared model folder, if the annotator has a model")
    parser.add_argument("--prompt", type=Path, required=True, help="the prompt template")
    parser.add_argument("--run", required=True, type=Path, help="the first stage's run (parquet)")
    parser.add_argument("--queries", required=True, type=Path, help="questions (parquet)")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--store", type=Path, required=True, help="folder of the completion store")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet); .trec and .json are written beside")
    parser = commands.add(bm25_index, "bm25-index")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="index (folder)")
    parser.add_argument("--memory", type=int, help=memory)
    parser = commands.add(bm25_search, "bm25-search")
    parser.add_argument("--bm25", default=BM25, help="a name from `bm25_variants`")
    parser.add_argument("--memory", type=int, help=memory)
    parser.add_argument("--testset", required=True, help="a name from `testsets`")
    parser.add_argument("--index", required=True, type=Path, help="index (folder)")
    parser.add_argument("--queries", required=True, type=Path, help="questions (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet); a TREC run is written beside it")
    parser = commands.add(read_external_run, "read-external-run")
    parser.add_argument("--external-run", required=True, help="a name from `external_runs`")
    parser.add_argument("--testset", required=True, help="a name from `testsets`")
    parser.add_argument("--queries", required=True, type=Path, help="questions (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="run (parquet)")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
