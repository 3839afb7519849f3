"""The jobs from a download to evaluated answers, on the demo's collection."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from command_line import write_configuration
from tiny_bert import save_tiny_bert

from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import ANNOTATION, ANSWERS

BACKBONE = {"model": "tiny", "pooling": "mean", "query_length": 16, "passage_length": 24}


def write_settings(demo: Path, model: Path) -> None:
    """A configuration of everything that is run."""
    write_configuration(
        Path("config.yaml"),
        models={"bert": {"path": str(model)}},
        downloads={"corpus": {"url": (demo / "beir" / "corpus.jsonl").as_uri()}},
        datasets={
            "data": {
                "corpus": {"format": "beir", "path": str(demo / "beir" / "corpus.jsonl")},
                "splits": {
                    "train": {
                        "queries": {"format": "msmarco", "path": str(demo / "msmarco" / "queries.train.tsv")},
                        "qrels": {"format": "trec", "path": str(demo / "trec" / "qrels.train.txt")},
                        "answers": {"format": "jsonl", "path": str(demo / "answers" / "train.jsonl")},
                    }
                },
            }
        },
        pools={
            "pool": {
                "dataset": "data",
                "source": {"format": "retrieved", "testset": "test", "depth": 20},
                "size": 5,
                "shards": 2,
            }
        },
        backbones={"encoder": BACKBONE},
        trainings={
            "human": {
                "labels": "human",
                "loss": "singlelh",
                "train_group_size": 2,
                "global_batch_size": 32,
                "epochs": 1,
                "precision": "fp32",
            }
        },
        testsets={
            "test": {"dataset": "data", "split": "train", "depth": 20, "metrics": ["mrr@10"]},
            "answered": {"dataset": "data", "split": "train", "relevant": "answers", "metrics": ["success@5"]},
        },
        qa={"qa": {"testset": "test", "metrics": ["bert-score"], "bert_score": {"model": "bert", "layer": 1}}},
    )


def run_jobs(run: Callable[..., None], demo: Path, folder: Path) -> None:
    """The way from a download to evaluated answers."""
    write_settings(demo, save_tiny_bert(folder / "tiny"))
    run("prepare download", download="corpus", output="corpus.jsonl")
    with tarfile.open("corpus.tar.gz", "w:gz") as archive:
        archive.add(demo / "beir" / "corpus.jsonl", "corpus.jsonl")
    run("prepare member", archive="corpus.tar.gz", member="corpus.jsonl", output="unpacked.jsonl")
    run("prepare model", model="bert", output="model")

    corpus, queries, qrels, truth = (f"{name}.parquet" for name in ("corpus", "queries", "qrels", "answers"))
    split = {"dataset": "data", "split": "train"}
    run("ingest corpus", dataset="data", output=corpus)
    run("ingest queries", **split, output=queries)
    run("ingest qrels", **split, corpus=corpus, queries=queries, output=qrels)
    run("ingest answers", **split, queries=queries, output=truth)

    bm25 = "results/runs/bm25/bm25/test.parquet"
    run("retrieve bm25-index", corpus=corpus, output="index")
    run("retrieve bm25-search", testset="test", index="index", queries=queries, output=bm25)
    run("pool negatives", pool="pool", queries=queries, qrels=qrels, corpus=corpus, output="results/mined/pool.jsonl")
    run("pool build", pool="pool", corpus=corpus, output="results/pools/pool")
    labels = "results/labels/human.parquet"
    run("label merge", labels="human", output=labels)
    run("label quality", labels="human", output="results/quality/human.json")
    run("export labels", labels="human", format="tevatron", output="export")

    files = {"model": "model", "labels": labels, "pool": "results/pools/pool", "output": "trained"}
    run("train", training="human", backbone="encoder", checkpoints="checkpoints", tensorboard="events", **files)
    vectors = "results/embeddings/encoder/human/data"
    run("retrieve encode", backbone="encoder", model="model", corpus=corpus, shard="0000-of-0001", output=vectors)
    names = {"backbone": "encoder", "training": "human", "testset": "test"}
    run("retrieve search", **names, model="model", queries=queries, output="run.parquet")
    names = {"retriever": "encoder/human", "testset": "test"}
    run("evaluate run", **names, run="run.parquet", qrels=qrels, output="metrics.json")
    files = {"run": bm25, "answers": truth, "corpus": corpus, "output": "matched.parquet"}
    run("evaluate answers", testset="answered", **files)
    evaluate_answers(run, truth)


def evaluate_answers(run: Callable[..., None], truth: str) -> None:
    """Ground truth, scored against itself."""
    row = {"outcome": "ok", "whole_pool": False, "replies": [], "attempts": 1}
    row |= {"prompt_tokens": 1, "completion_tokens": 1}
    answers = [row | {"query_id": it["query_id"], "answer": it["answers"][0]} for it in ANSWERS.read(truth).to_pylist()]
    ANNOTATION.write("generated.parquet", ANNOTATION.rows(answers))
    made = {"prompt_tokens": 0, "new_tokens": 0, "engine_seconds": 0.0, "gpus": 0, "earlier": None}
    write_json(Path("work.json"), made | {"passages": 0, "tokens": 0})
    names = {"retriever": "encoder/human", "qa": "qa", "generator": "judge"}
    files = {"answers": "generated.parquet", "truth": truth, "work": "work.json", "output": "qa.json"}
    run("answers evaluate", **names, model="model", **files)
