"""Own documents from end to end: what comes of real ones, and whether made-up questions help with real ones.

    python benchmarks/written_questions.py FOLDER [NAME …] [--passages 96] [--cores 2]
    python benchmarks/written_questions.py --documents FOLDER [NAME …]
    python benchmarks/written_questions.py --table     # the record as Markdown

FOLDER holds public collections as their publishers lay them out (see public_collections.py); a NAME is squad or
scifact. The texts of a collection are documents, and its own questions and judgements are hidden from the training. The
demo's LLM writes a question about each of some passages, as in config/own-documents.yaml, and judges the candidates. A
MiniLM is trained on the source passages alone, and another one on the LLM's labels, with three seeds. The hidden
questions judge both, beside the untrained MiniLM and BM25: all passages of a judged document are relevant. Of a
collection with many documents, those that are judged are taken, and others up to DOCUMENTS.

With --documents, each NAME is a folder of files in FOLDER, such as what a Debian package has below usr/share. Nobody
asked questions about these, so those that the LLM wrote about documents held out are the judges, as in the workflow.
One seed each.

What came out goes to results/written_questions.json. Run it in a clone of its own: it uses raw/, data/ and results/
there, and each collection takes the place of the one before.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measure import RESULTS, machine, write_record
from public_collections import write
from samples import cell, figures, sample

from utility_annotation.common.files import read_json
from utility_annotation.io.formats import read_judgements, read_passages, read_queries
from utility_annotation.io.schemas import ORIGINS
from utility_annotation.settings import Source

RECORD = RESULTS / "written_questions.json"
RAW, HIDDEN = Path("raw/own"), Path("raw/hidden")
FILES = ("config/own-documents.yaml", "config/own-documents-small.yaml", "raw/written.json")
COLLECTIONS = ("squad", "scifact")
SEEDS = (42, 43, 44)
RUNS = {"bm25": "bm25/bm25", "untrained": "dense/untrained", "source": "dense/source", "utilsel": "dense/utilsel"}
TRAINED = ("source", "utilsel")
DOCUMENTS = 800
"""Most documents of a collection, as it is encoded seven times; those with a judgement come first."""
METRICS = ("ndcg@10", "mrr@10")


def _configuration(passages: int, seeds: Sequence[int], *, hidden: bool) -> dict[str, Any]:
    """What is edited in config/own-documents.yaml and -small; ``hidden``: whether there are real questions."""
    edited: dict[str, Any] = {
        "pools": {
            "passages": {"source": {"sample": passages}, "shards": 2},
            **{pool: {"shards": 2} for pool in ("source", "train", "held-out")},
        },
        "trainings": {name: {"seeds": list(seeds)} for name in TRAINED},
        "questions": {"made": {"styles": ["natural"], "held_out": 30}},
        "performance": {"annotate": {"batch_tokens": 16384}},
    }
    if not hidden:
        return edited
    real = {kind: {"format": "jsonl", "path": str(RAW / f"{kind}.jsonl")} for kind in ("queries", "qrels")}
    return edited | {
        "datasets": {"own": {"splits": {"real": real}}},
        "questions": {"made": {"styles": ["natural"], "held_out": 0}},  # all are for training
        "testsets": {"real": {"dataset": "own", "split": "real", "metrics": [*METRICS], "depth": 100}},
        "tables": {"own": {"title": "Questions that people asked", "testsets": ["real"], "verdict": None}},
    }


def _write_documents(name: str, folder: Path) -> tuple[Source, Source]:
    """The documents of a collection, a line each; returns its questions and judgements."""
    collection = write(name, folder, HIDDEN)
    qrels = Source.model_validate(collection.qrels)
    judged = {judgement.docid for judgement in read_judgements(qrels)}
    passages = list(read_passages(Source.model_validate(collection.corpus)))
    others = [passage.docid for passage in passages if passage.docid not in judged]
    kept = judged.union(random.Random(13).sample(others, max(0, min(DOCUMENTS - len(judged), len(others)))))
    shutil.rmtree(RAW, ignore_errors=True)
    (RAW / "documents").mkdir(parents=True)
    with (RAW / "documents" / "texts.jsonl").open("w") as file:
        for passage in (each for each in passages if each.docid in kept):
            file.write(json.dumps({"docid": passage.docid, "title": passage.title or "", "text": passage.text}) + "\n")
    return Source.model_validate(collection.questions), qrels


def _write_hidden(questions: Source, qrels: Source) -> None:
    """The questions and judgements, as judgements of the passages that the documents have become."""
    passages: dict[str, list[str]] = defaultdict(list)
    for row in ORIGINS.read("data/own/origins.parquet", ["docid", "name"]).to_pylist():
        passages[row["name"]].append(row["docid"])
    judged = set()
    with (RAW / "qrels.jsonl").open("w") as file:
        for judgement in read_judgements(qrels):
            for docid in passages[judgement.docid]:
                judged.add(judgement.query_id)
                row = {"query_id": judgement.query_id, "docid": docid, "grade": judgement.grade}
                file.write(json.dumps(row) + "\n")
    with (RAW / "queries.jsonl").open("w") as file:
        for query in read_queries(questions):
            if query.query_id in judged:
                file.write(json.dumps({"query_id": query.query_id, "text": query.text}) + "\n")


def _take_documents(name: str, folder: Path) -> None:
    """A folder of real documents."""
    shutil.rmtree(RAW, ignore_errors=True)
    shutil.copytree(folder / name, RAW / "documents")


def _seeds(name: str, seeds: Sequence[int]) -> list[str]:
    run = RUNS[name]
    return [run, *(f"{run}-seed{seed}" for seed in seeds[1:])] if name in TRAINED else [run]


def _metrics(testset: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The figures of each run, and how far trainings are above the others."""
    found: dict[str, Any] = {}
    for metric in METRICS:
        samples = {name: sample([f"metrics/{run}/{testset}" for run in _seeds(name, seeds)], metric) for name in RUNS}
        found[metric] = {
            name: figures(own, {base: samples[base] for base in RUNS if name in TRAINED and base != name})
            for name, own in samples.items()
        }
        found[metric]["questions"] = len(samples["bm25"].query_ids[0])
    return found


def _figures(seconds: float, testset: str, seeds: Sequence[int]) -> dict[str, Any]:
    """What a run left behind, in figures."""
    quality = read_json(Path("results/quality/utilsel.json"), "selection")
    summary = read_json(Path("results/questions/made/summary.json"), "train", "dropped")
    documents = read_json(Path("results/documents/own.json"), "passages", "documents", "reasons")
    return {
        "seconds": round(seconds),
        **{key: documents[key] for key in ("documents", "reasons", "passages")},
        "written": {key: summary.get(key, 0) for key in ("train", "held_out", "dropped")},
        "labels": {key: quality[key] for key in ("queries", "candidates", "selection")},
        "metrics": _metrics(testset, seeds),
    }


def table(record: dict[str, Any]) -> str:
    """The record as Markdown; beside each training its difference from the untrained retriever."""
    lines = [
        "| collection | files | passages | trained on | judged by | BM25 | untrained | source passages | utilsel |",
        "| --- |" + " ---: |" * 8,
    ]
    for name, found in record["collections"].items():
        rows = found["metrics"][METRICS[0]]
        cells = [cell(rows[run], "untrained") for run in RUNS]
        judges = f"{rows['questions']:,} {'real' if name in COLLECTIONS else 'made-up'}"
        numbers = f"{found['documents']['read']:,} | {found['passages']:,} | {found['written']['train']} | {judges}"
        lines.append(f"| {name} | {numbers} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Command line; see ``--help``."""
    if sys.argv[1:] == ["--table"]:
        print(table(read_json(RECORD)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=COLLECTIONS, metavar="NAME", help=", ".join(COLLECTIONS))
    parser.add_argument("--documents", action="store_true", help="each NAME is a folder of documents in FOLDER")
    parser.add_argument("--passages", type=int, default=96, help="that the LLM writes a question about each")
    parser.add_argument("--cores", default="2")
    arguments = parser.parse_args()
    record: dict[str, Any] = read_json(RECORD) if RECORD.is_file() else {"collections": {}}
    seeds = SEEDS[:1] if arguments.documents else SEEDS
    options = ["--cores", arguments.cores, "--configfile", *FILES]
    for name in arguments.names:
        for made in ("data/own", "results"):
            shutil.rmtree(made, ignore_errors=True)
        hidden = None
        if arguments.documents:
            _take_documents(name, arguments.folder)
        else:
            hidden = _write_documents(name, arguments.folder)
        configuration = _configuration(arguments.passages, seeds, hidden=hidden is not None)
        Path(FILES[2]).write_text(json.dumps(configuration, indent=2))
        start = time.perf_counter()
        if hidden:
            subprocess.run(["snakemake", "data/own/corpus.parquet", *options], check=True)
            _write_hidden(*hidden)
        subprocess.run(["snakemake", "own", "results/quality/utilsel.json", *options], check=True)
        found = _figures(time.perf_counter() - start, "real" if hidden else "held-out", seeds)
        record["collections"][name] = found
        record["machine"] = machine()
        write_record(RECORD, record)


if __name__ == "__main__":
    main()
