"""Every script whose job lasts at the paper's scale says how far it is: on small inputs, with the pause between lines
taken away."""

from __future__ import annotations

import importlib
import json
import logging
import re
import tarfile
from pathlib import Path

import pytest
from command_line import arguments
from tiny_bert import save_tiny_bert

from utility_annotation.common import progress

WAITING = r"(?:so far|in all)$"
EXPECTED = {
    "fetch": r"fetching corpus\.jsonl: [\d,]+ of [\d,]+ bytes",
    "unpack": r"looking for corpus\.jsonl in .*: [\d,]+ of [\d,]+ bytes",
    "prepare_model": rf"preparing .*{WAITING}",
    "ingest_corpus": r"reading .*corpus\.jsonl: [\d,]+ of [\d,]+ bytes",
    "ingest_queries": r"reading .*queries\.train\.tsv: [\d,]+ of [\d,]+ bytes",
    "ingest_qrels": r"reading .*qrels\.train\.txt: [\d,]+ of [\d,]+ bytes",
    "ingest_answers": r"reading .*train\.jsonl: [\d,]+ of [\d,]+ bytes",
    "bm25_index": rf"IndexCollection: .*{WAITING}",
    "bm25_search": rf"SearchCollection: .*{WAITING}",
    "mine_negatives": r"reading .*queries\.parquet: [\d,]+ of [\d,]+ rows",
    "build_pool": r"reading .*mined\.jsonl: [\d,]+ of [\d,]+ bytes",
    "merge_labels": r"labelling: 1 of 2 shards",
    "label_quality": r"comparing: 1 of 2 shards",
    "export_labels": r"joining labels and pool: 1 of 2 shards",
    "train": r"joining labels and pool: 1 of 2 shards",
    "encode": r"encoding shard 0000-of-0001: [\d,]+ of [\d,]+ passages",
    "search": r"encoding: [\d,]+ of [\d,]+ queries",
    "evaluate": rf"computing mrr@10 of \d+ queries: .*{WAITING}",
    "match_answers": r"looking for answers: 1 of 1 blocks",
    "evaluate_answers": r"BERTScore: [\d,]+ of [\d,]+ pairs",
}
"""Script → a line that it shows. Annotation, which has lines of its own, and training's steps have tests of theirs."""

BACKBONE = {"model": "tiny", "pooling": "mean", "query_length": 16, "passage_length": 24}


class Lines(logging.Handler):
    """Keeps the progress lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture(scope="module")
def shown(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The lines of each script, run one after the other on the demo's collection."""
    folder = tmp_path_factory.mktemp("jobs")
    handler = Lines()
    progress.LOG.addHandler(handler)
    level = progress.LOG.level
    progress.LOG.setLevel(logging.INFO)
    lines: dict[str, list[str]] = {}

    def run(script: str, **values: object) -> None:
        handler.lines = lines.setdefault(script, [])
        importlib.import_module(script).main(arguments(**values))

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(progress, "_SECONDS_BETWEEN_LOG_LINES", 0.0)
            patch.setattr(progress, "_SECONDS_BETWEEN_SIGNS", 1e-9)  # shorter than any job, and not a busy loop
            run_jobs(run, root / "resources" / "demo", folder)
    finally:
        progress.LOG.removeHandler(handler)
        progress.LOG.setLevel(level)
    return lines


def run_jobs(run, demo: Path, folder: Path) -> None:
    """The way from a download to evaluated answers."""
    published = demo / "beir" / "corpus.jsonl"
    run("fetch", settings={"url": published.as_uri()}, output=folder / "corpus.jsonl")
    with tarfile.open(folder / "corpus.tar.gz", "w:gz") as archive:
        archive.add(published, "corpus.jsonl")
    run("unpack", archive=folder / "corpus.tar.gz", member="corpus.jsonl", output=folder / "unpacked.jsonl")
    model = folder / "model"
    run("prepare_model", settings={"path": str(save_tiny_bert(folder / "tiny"))}, output=model)

    dataset = {"corpus": {"format": "beir", "path": str(published)}, "splits": {}}
    split = {
        "queries": {"format": "msmarco", "path": str(demo / "msmarco" / "queries.train.tsv")},
        "qrels": {"format": "trec", "path": str(demo / "trec" / "qrels.train.txt")},
        "answers": {"format": "jsonl", "path": str(demo / "answers" / "train.jsonl")},
    }
    corpus, queries, qrels, truth = (folder / f"{name}.parquet" for name in ("corpus", "queries", "qrels", "answers"))
    run("ingest_corpus", settings=dataset, output=corpus)
    run("ingest_queries", settings=split, output=queries)
    run("ingest_qrels", settings=split, corpus=corpus, queries=queries, output=qrels)
    run("ingest_answers", settings=split, queries=queries, output=truth)

    wanted = {"depth": 20, "drop_query_document": False}
    bm25, trec = folder / "bm25.parquet", folder / "run.trec"
    run("bm25_index", performance={}, corpus=corpus, output=folder / "index")
    options = {"queries": queries, "performance": {}, "output_trec": trec}
    run("bm25_search", settings={"bm25": {}, **wanted}, index=folder / "index", output=bm25, **options)
    mining = {"format": "retrieved", "depth": 20, "size": 5}
    run("mine_negatives", settings=mining, queries=queries, qrels=qrels, runs=bm25, output=folder / "mined.jsonl")
    rows = {"format": "tevatron-ids", "path": str(folder / "mined.jsonl")}
    pool = [folder / f"000{shard}-of-0002.parquet" for shard in range(2)]
    settings = {"dataset": "demo", "source": rows, "size": 5, "shards": 2}
    run("build_pool", settings=settings, corpus=corpus, output=pool)
    labels, quality = folder / "labels.parquet", folder / "quality.json"
    run("merge_labels", settings={"pool": "p", "source": "human"}, pool=pool, output=labels)
    compared = {"labels": "human", "source": "human", "annotator": None}
    run("label_quality", settings=compared, labels=labels, pool=pool, output=quality)
    card = {"name": "human", "labels": {"pool": "p", "source": "human"}, "pool": settings, "annotator": None}
    files = {"labels": labels, "pool": pool, "output": folder / "export"}
    run("export_labels", settings=card | {"model": None}, format="tevatron", quality=quality, **files)

    training = {"labels": "human", "loss": "singlelh", "train_group_size": 2, "global_batch_size": 32, "epochs": 1}
    files = {"model": model, "labels": labels, "pool": pool, "output": folder / "trained"}
    settings = {"training": training | {"precision": "fp32"}, "backbone": BACKBONE}
    run("train", settings=settings, performance={}, checkpoints=folder / "checkpoints", **files)
    vectors, docids, found = folder / "v.npy", folder / "d.parquet", folder / "run.parquet"
    files = {"output_vectors": vectors, "output_docids": docids, "corpus": corpus, "model": model}
    run("encode", settings={"backbone": BACKBONE}, performance={}, shard="0000-of-0001", **files)
    files = {"model": model, "vectors": vectors, "docids": docids, "output": found}
    run("search", settings={"backbone": BACKBONE, **wanted}, **options, **files)
    settings = {"backbone": "b", "training": "r", "testset": "t", "metrics": ["mrr@10"], "relevance_level": 1}
    files = {"output": folder / "metrics.json", "output_per_query": folder / "per-query.parquet"}
    run("evaluate", settings=settings, run=found, qrels=qrels, **files)
    files = {"run": bm25, "answers": truth, "corpus": corpus, "output": folder / "matched.parquet"}
    run("match_answers", settings={"metrics": ["success@5"]}, **files)
    evaluate_answers(run, folder, model, truth)


def evaluate_answers(run, folder: Path, model: Path, truth: Path) -> None:
    """Ground truth, scored against itself."""
    from utility_annotation.io.schemas import ANNOTATION, ANSWERS

    row = {"outcome": "ok", "whole_pool": False, "replies": [], "attempts": 1}
    row |= {"prompt_tokens": 1, "completion_tokens": 1}
    answers = [row | {"query_id": it["query_id"], "answer": it["answers"][0]} for it in ANSWERS.read(truth).to_pylist()]
    ANNOTATION.write(folder / "generated.parquet", ANNOTATION.rows(answers))
    settings = {"backbone": "b", "training": "r", "qa": "q", "generator": "g", "metrics": ["bert-score"], "layer": 1}
    run(
        "evaluate_answers",
        settings=settings,
        model=model,
        answers=folder / "generated.parquet",
        truth=truth,
        output=folder / "qa.json",
        output_per_query=folder / "qa.parquet",
    )


@pytest.mark.parametrize("script", EXPECTED)
def test_a_job_says_how_far_it_is(shown: dict[str, list[str]], script: str) -> None:
    assert any(re.search(EXPECTED[script], line) for line in shown[script]), json.dumps(shown[script][:20], indent=1)
