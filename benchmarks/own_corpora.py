"""Own corpora from end to end: four public collections through config/own-corpus.yaml, with the demo's models.

    python benchmarks/own_corpora.py FOLDER [NAME …] [--cores 2]
    python benchmarks/own_corpora.py --table     # the record as Markdown

FOLDER holds the collections as their publishers lay them out: cranfield/, vaswani/, scifact-beir/, squad/. Each is
written to raw/own/ in another of the formats that a corpus may have (JSONL, TSV, BEIR, parquet), with its human labels.
The curriculum is given those of 20 % of the training questions. Each runs with config/own-corpus.yaml, -human and
-small, with three seeds and more training questions than -small takes. What came out goes to results/own_corpora.json.
Run it in a clone of its own: it uses raw/, data/ and results/ there, and each collection takes the place of the one
before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measure import RESULTS, machine, write_record
from public_collections import Collection, write
from samples import cell, figures, sample

from utility_annotation.common.files import read_json
from utility_annotation.io.schemas import DUPLICATES, QUERIES

RAW = Path("raw/own")
RUNS = ("bm25/bm25", "dense/untrained", "dense/human", "dense/utilsel", "dense/utilsel-human")
BASELINES = RUNS[:3]
SEEDS = (42, 43, 44)
TRAINED = [run.removeprefix("dense/") for run in RUNS[2:]]
QUESTIONS = 96
"""The most training questions that the LLM judges."""
COLLECTIONS = ("squad", "cranfield", "vaswani", "scifact")
METRICS = {"held-out": ("ndcg@10", "mrr@10"), "held-out-human": ("ndcg@10", "mrr@10", "recall@100")}


def _configuration(collection: Collection) -> dict[str, Any]:
    """What is edited, and: humans judge all questions held out, the LLM the sample of them that -small takes.

    The LLM judges what any seed finds.
    """
    split = {"queries": collection.questions, "qrels": collection.qrels, "unknown_passages": "keep"}
    held_out = {**split, "part": {"percent": [80, 100]}, "unknown_queries": "drop", "judged_only": True}
    return {
        "datasets": {
            "own": {
                "corpus": collection.corpus,
                "shards": 1,
                "splits": {
                    "train": {**split, "judged_only": True, "sample": {"queries": QUESTIONS, "fewer": "keep"}},
                    "held-out": {**split, "judged_only": True},
                    "held-out-all": held_out,
                },
            }
        },
        "labels": {"human": {"queries": {"percent": 20}}},
        "trainings": {name: {"seeds": list(SEEDS)} for name in TRAINED},
        "pools": {"held-out": {"source": {"retrievers": [each for run in RUNS for each in _seeds(run)]}}},
        "testsets": {"held-out-human": {"split": "held-out-all"}},
    }


def _seeds(run: str) -> list[str]:
    """A run's name, and those of its further seeds."""
    backbone, _, name = run.partition("/")
    further = SEEDS[1:] if name in TRAINED else ()
    return [run, *(f"{backbone}/{name}-seed{seed}" for seed in further)]


def _figures(name: str, seconds: float) -> dict[str, Any]:
    """What a run left behind, in figures."""
    metrics: dict[str, Any] = {}
    for testset, names in METRICS.items():
        for metric in names:
            samples = {run: sample([f"metrics/{each}/{testset}" for each in _seeds(run)], metric) for run in RUNS}
            metrics[f"{testset} {metric}"] = {
                run: figures(own, {base: samples[base] for base in BASELINES if base != run})
                for run, own in samples.items()
            } | {"questions": len(samples[RUNS[0]].query_ids[0])}
    quality: dict[str, Any] = read_json(Path("results/quality/utilsel.json"))
    named = DUPLICATES.read("results/mined/train.duplicates.parquet")
    return {
        "collection": name,
        "seconds": round(seconds),
        "questions": {
            split: QUERIES.read(f"data/own/queries/{split}.parquet").num_rows
            for split in ("train", "held-out", "held-out-all")
        },
        "labels": {key: quality[key] for key in ("queries", "candidates", "human_positives", "selection", "agreement")},
        "training": {run: _training(run) for run in ("human", "utilsel", "utilsel-human")},
        "duplicates": {"copies": sum(named["copy"].to_pylist()), "all": named.num_rows},
        "metrics": metrics,
    }


def _training(run: str) -> dict[str, Any]:
    record: dict[str, Any] = read_json(Path(f"results/models/dense/{run}/training.json"))
    return {key: record[key] for key in ("queries", "steps") if key in record}


def tables(record: dict[str, Any]) -> str:
    """The record as Markdown: the labels, then a table of runs for each way of judging."""
    collections: dict[str, Any] = record["collections"]
    lines = [
        "| collection | questions | candidates | chosen per question | recall % | precision % | kappa | highest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in collections.items():
        labels = found["labels"]
        selection, agreement = labels["selection"], labels["agreement"]
        lines.append(
            f"| {name} | {labels['queries']} | {labels['candidates']} | {selection['positives_per_query']:.1f} "
            f"| {selection['recall']:.1f} | {selection['precision']:.1f} | {agreement['kappa']:.2f} "
            f"| {agreement['kappa_max']:.2f} |"
        )
    for testset, metrics in METRICS.items():
        metric = f"{testset} {metrics[0]}"
        heads = " | ".join(run.rpartition("/")[2] for run in RUNS)
        lines += [
            "",
            f"{metric}:",
            "",
            f"| collection | questions | {heads} |",
            "| --- |" + " ---: |" * (len(RUNS) + 1),
        ]
        for name, found in collections.items():
            cells = [cell(found["metrics"][metric][run], BASELINES[1]) for run in RUNS]
            lines.append(f"| {name} | {found['metrics'][metric]['questions']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Command line; see ``--help``."""
    record = RESULTS / "own_corpora.json"
    if sys.argv[1:] == ["--table"]:
        print(tables(read_json(record)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=COLLECTIONS, metavar="NAME", help=", ".join(COLLECTIONS))
    parser.add_argument("--cores", default="2")
    arguments = parser.parse_args()
    found: dict[str, Any] = read_json(record) if record.is_file() else {"collections": {}}
    for name in arguments.names:
        configuration = _configuration(write(name, arguments.folder, RAW))
        (RAW / "own.json").write_text(json.dumps(configuration, indent=2))
        files = [f"config/own-corpus{suffix}.yaml" for suffix in ("", "-human", "-small")]
        command = [
            "snakemake",
            "own",
            "own-labels",
            "--cores",
            arguments.cores,
            "--configfile",
            *files,
            RAW / "own.json",
        ]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        found["collections"][name] = _figures(name, time.perf_counter() - start)
        found["machine"] = machine()
        write_record(record, found)


if __name__ == "__main__":
    main()
