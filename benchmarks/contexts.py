"""What a choice of passages is worth to answers: BM25's first ones, reranked ones, and those that are selected.

    python benchmarks/contexts.py FOLDER [NAME …] [--cores 2]
    python benchmarks/contexts.py --table     # the record as Markdown

FOLDER holds public collections as their publishers lay them out (see public_collections.py). The collections are those
with answers: the demo, HotpotQA-100 and SQuAD. A MiniLM cross-encoder is trained on human labels and another one on the
labels of the demo's LLM (utility selection), each with three seeds. Their scores are calibrated on the same kind of
labels of other questions (Platt). Each orders BM25's 10 best passages again, and selects among them. The LLM also
selects by itself. Then it answers the questions held out from each choice, of at most five passages, and abstains where
none is left. What came out goes to results/contexts.json. Run it in a clone of its own: it uses raw/, data/, results/
there. Each collection takes the place of the one before.
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

import rerankers
from measure import RESULTS, machine, write_record
from own_corpora import gain
from rerankers import DEMO, LABELS, RAW, SEEDS

from utility_annotation.common.files import read_json
from utility_annotation.evaluation.samples import Sample, per_query_values

RECORD = RESULTS / "contexts.json"
COLLECTIONS = (DEMO, "hotpotqa", "squad")
PARTS = {"train": [0, 50], "calibration": [50, 70], "held-out": [70, 100]}
DEMO_PARTS = {"calibration": [0, 40], "held-out": [40, 100]}
FIRST = "bm25"
RERANKED, SURE = ({f"{kind}-{labels}": labels for labels in LABELS} for kind in ("reranked", "sure"))
CHOICES = (FIRST, *RERANKED, *SURE, "by-llm")
METRICS = ("f1", "em")
WORK = ("passages", "tokens", "abstained", "seconds")
QUESTIONS, HELD_OUT, DEPTH, PASSAGES = 48, 24, 10, 5
THRESHOLD = 0.12
"""A little below the share of positives in a pool: one or so of eight candidates."""
LLM = "llm"
TRAINING = {
    "loss": "bce",
    "train_group_size": 8,
    "global_batch_size": 8,
    "epochs": 6,
    "learning_rate": 1e-4,
    "precision": "fp32",
    "seeds": list(SEEDS),
}


def configuration(name: str, folder: Path) -> dict[str, Any]:
    """The whole configuration of a collection."""
    found = rerankers.configuration(name, folder)
    splits = found["datasets"]["own"]["splits"]
    splits["calibration"] = dict(splits["held-out"])
    for split, part in (DEMO_PARTS if name == DEMO else PARTS).items():
        most = HELD_OUT if split == "held-out" else QUESTIONS
        splits[split] |= {"part": {"percent": part}, "sample": {"queries": most, "fewer": "keep"}}
    pool = found["pools"]["train"] | {"size": 8}
    pool["source"] |= {"retrievers": ["bm25/bm25"], "depth": DEPTH}
    calibration = pool | {"split": "calibration", "source": pool["source"] | {"testset": "calibration"}}
    own = {labels: found["labels"][labels] for labels in LABELS}
    found["annotators"][LLM]["answer_sampling"] = {"max_new_tokens": 16}
    del found["backbones"]
    return found | {
        "pools": {"train": pool, "calibration": calibration},
        "labels": own | {f"calibration-{labels}": each | {"pool": "calibration"} for labels, each in own.items()},
        "rerankers": {"cross": {"model": "all-minilm-l6-v2", "length": 128}},
        "trainings": {f"pairs-{labels}": {"labels": labels, **TRAINING} for labels in LABELS},
        "reranked": {
            row: {"retriever": "bm25/bm25", "reranker": f"cross/pairs-{labels}", "depth": DEPTH}
            for row, labels in RERANKED.items()
        },
        "selected": {
            **{
                row: {
                    "retriever": f"reranked/reranked-{labels}",
                    "labels": f"calibration-{labels}",
                    "method": "platt",
                    "threshold": THRESHOLD,
                    "depth": DEPTH,
                }
                for row, labels in SURE.items()
            },
            "by-llm": {"retriever": "bm25/bm25", "annotator": LLM, "depth": DEPTH},
        },
        "testsets": {
            split: {"dataset": "own", "split": split, "metrics": ["ndcg@10"], "depth": 50} for split in splits
        },
        "qa": {
            "answers": {
                "testset": "held-out",
                "passages": PASSAGES,
                "without_passages": "abstain",
                "metrics": list(METRICS),
            }
        },
        "tables": {
            "contexts": {
                "title": "Answers by choice of passages",
                "bm25_answers": True,
                "reranked": [*RERANKED],
                "selected": [*SURE, "by-llm"],
                "qa": ["answers"],
                "generators": [LLM],
                "testsets": ["held-out"],
                "answer_work": list(WORK),
                "baseline": None,
            }
        },
    }


def _rows(choice: str) -> list[str]:
    """The rankings of a choice, one per seed."""
    if choice == FIRST:
        return ["bm25/bm25"]
    place = "reranked" if choice in RERANKED else "selected"
    seeds = () if choice == "by-llm" else SEEDS[1:]
    return [f"{place}/{choice}", *(f"{place}/{choice}-seed{seed}" for seed in seeds)]


def _sample(choice: str, metric: str) -> Sample:
    files = (f"results/rag/{row}/answers/{LLM}/metrics.per-query.parquet" for row in _rows(choice))
    return Sample.of([[per_query_values(file, metric)] for file in files])


def _figures(seconds: float) -> dict[str, Any]:
    """What a run left behind, in figures."""
    choices: dict[str, Any] = {}
    for choice in CHOICES:
        works = [read_json(Path(f"results/rag/{row}/answers/{LLM}/metrics.json"))["work"] for row in _rows(choice)]
        work = {name: round(sum(each[name] for each in works) / len(works), 3) for name in WORK}
        metrics = {}
        for metric in METRICS:
            own = _sample(choice, metric)
            spread = {"sd": round(100 * float(own.figures().std(ddof=1)), 1)} if own.seeds > 1 else {}
            over = {} if choice == FIRST else {"over": gain(own, _sample(FIRST, metric))}
            metrics[metric] = {"mean": round(100 * float(own.figures().mean()), 1)} | spread | over
        choices[choice] = {"work": work, **metrics}
    calibrations = {}
    for labels in LABELS:
        found = read_json(Path(f"results/calibrations/cross/pairs-{labels}/calibration-{labels}.json"), "methods")
        methods = {
            name: {key: each[key] for key in ("brier", "brier_interval", "ece")}
            for name, each in found["methods"].items()
        }
        calibrations[labels] = {key: found[key] for key in ("questions", "candidates", "positives")} | methods
    questions = len(_sample(FIRST, METRICS[0]).query_ids[0])
    return {"seconds": round(seconds), "questions": questions, "choices": choices, "calibrations": calibrations}


def table(record: dict[str, Any]) -> str:
    """The record as Markdown, with each row's gain in F1 over BM25's first passages."""
    lines = ["| collection | passages from | passages | tokens | abstained | seconds | F1 | EM |"]
    lines.append("| --- | --- |" + " ---: |" * 6)
    for collection, found in record["collections"].items():
        for choice, each in found["choices"].items():
            work, f1 = each["work"], each["f1"]
            spread = f" ± {f1['sd']}" if "sd" in f1 else ""
            over = f" ({f1['over']['gain']:+} [{f1['over']['low']}, {f1['over']['high']}])" if "over" in f1 else ""
            cells = [
                *(collection, choice, f"{work['passages']:.1f}", f"{work['tokens']:.0f}"),
                *(f"{100 * work['abstained']:.0f} %", f"{work['seconds']:.1f}"),
                *(f"{f1['mean']}{spread}{over}", f"{each['em']['mean']}"),
            ]
            lines.append(f"| {' | '.join(cells)} |")
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
    record: dict[str, Any] = read_json(RECORD) if RECORD.is_file() else {"collections": {}}
    for name in arguments.names:
        for made in ("data/own", "results"):
            shutil.rmtree(made, ignore_errors=True)
        RAW.mkdir(parents=True, exist_ok=True)
        file = RAW.parent / "contexts.json"
        file.write_text(json.dumps(configuration(name, arguments.folder), indent=2))
        start = time.perf_counter()
        command = ["snakemake", "contexts", "--cores", arguments.cores, "--configfile", str(file)]
        subprocess.run(command, check=True)
        record["collections"][name] = _figures(time.perf_counter() - start)
        record["machine"] = machine()
        write_record(RECORD, record)


if __name__ == "__main__":
    main()
