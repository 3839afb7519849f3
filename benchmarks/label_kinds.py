"""What labels beyond yes and no are worth: doubtful passages ignored, false negatives found, grades, votes, gains.

    python benchmarks/label_kinds.py FOLDER [NAME …] [--cores 2]
    python benchmarks/label_kinds.py --table     # the record as Markdown

FOLDER holds public collections as their publishers lay them out (see public_collections.py); a NAME is one of
COLLECTIONS. The demo's LLM labels 8 candidates of at most 48 training questions in the ways that
config/own-corpus-human-labels.yaml compares, and, where questions have answers, by what it answers better with. A
MiniLM is trained on each label set, with three seeds and otherwise equal settings. Humans judge all questions held out.
Two ways are left out of the trainings, as this LLM cannot follow them: it gives every passage the same grade, and its
replies to the prompts of ARHN cannot be read. The grades are among the labels.

What came out goes to results/label_kinds.json. Run it in a clone of its own: it uses raw/, data/ and results/ there,
and each collection takes the place of the one before.
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
from public_collections import Collection, write
from samples import cell, difference, figures, sample

from utility_annotation.common.files import read_json

RECORD = RESULTS / "label_kinds.json"
RAW = Path("raw/own")
EDITED = Path("raw/label-kinds.json")
FILES = ("", "-human", "-human-labels", "-small")
COLLECTIONS = ("squad", "cranfield", "vaswani", "scifact")
QUESTIONS, SEEDS = 48, (42, 43, 44)
BASES = ("untrained", "human", "utilsel")
KINDS = ("utilsel-sure", "rlhn", "voted")
"""Trainings beside those of ``BASES``."""
GRADED, GAIN = "graded", "gain"
"""Labels that are not trained on, and a training on what the LLM answers better with."""
TESTSET, METRICS = "held-out-human", ("ndcg@10", "mrr@10")


def configuration(collection: Collection) -> dict[str, Any]:
    """What is edited in the four files."""
    split = {"queries": collection.questions, "qrels": collection.qrels, "unknown_passages": "keep"}
    split |= {"judged_only": True, "unknown_queries": "drop"}
    if collection.answers:
        split["answers"] = collection.answers
    train = split | {"sample": {"queries": QUESTIONS, "fewer": "keep"}}
    own = {"corpus": collection.corpus, "shards": 1, "splits": {"train": train, "held-out": split | {"sample": None}}}
    labels: dict[str, Any] = {GRADED: {"relevance_level": 2}}
    if collection.answers:
        labels[GAIN] = {"pool": "train", "source": "gain-short", "annotator": "llm", "metric": "f1"}
    names = trained(collection)
    settings = {
        "loss": "summarglh",
        "positives": "pos-all",
        "train_group_size": 4,
        "global_batch_size": 8,
        "epochs": 2,
        "learning_rate": 2e-5,
        "temperature": 0.05,
        "precision": "fp32",
        "seeds": list(SEEDS),
    }
    return {
        "datasets": {"own": own},
        "labels": labels,
        "trainings": {name: {"labels": name, **settings} for name in names},
        "tables": {
            "own": {
                "groups": [{"trainings": ["untrained", *names]}],
                "testsets": [TESTSET],
                "baseline": None,
                "verdict": None,
            }
        },
        "label_tables": {"own-labels": {"labels": labelled(collection)}},
    }


def trained(collection: Collection) -> list[str]:
    """The trainings of a collection."""
    return [*BASES[1:], *KINDS, *([GAIN] if collection.answers else [])]


def labelled(collection: Collection) -> list[str]:
    """The label sets of a collection that an LLM made or had a part in."""
    return [*trained(collection)[1:], GRADED]


def _runs(name: str) -> list[str]:
    """The rankings of a row, one per seed."""
    if name in ("bm25", "untrained"):
        return ["bm25/bm25" if name == "bm25" else "dense/untrained"]
    return [f"dense/{name}", *(f"dense/{name}-seed{seed}" for seed in SEEDS[1:])]


def _figures(collection: Collection, seconds: float) -> dict[str, Any]:
    """What a run left behind, in figures."""
    names = trained(collection)
    metrics: dict[str, Any] = {}
    for metric in METRICS:
        samples = {
            name: sample([f"metrics/{run}/{TESTSET}" for run in _runs(name)], metric)
            for name in ("bm25", "untrained", *names)
        }
        metrics[metric] = {
            name: figures(own, {base: samples[base] for base in BASES if name in names and base != name})
            for name, own in samples.items()
        } | {"questions": len(samples["bm25"].query_ids[0])}
    labels = {}
    for name in labelled(collection):
        quality = read_json(Path(f"results/quality/{name}.json"), "selection")
        labels[name] = {key: quality[key] for key in ("queries", "candidates", "ignored", "selection", "agreement")}
    return {"seconds": round(seconds), "labels": labels, "metrics": metrics}


def tables(record: dict[str, Any]) -> str:
    """The record as Markdown: the labels, then what was trained on them, beside the untrained retriever."""
    kinds = ["collection", "labels", "positives per question", "ignored", "precision %", "recall %", "kappa"]
    labels, rows = [], []
    for collection, found in record["collections"].items():
        for name, each in found["labels"].items():
            selection = each["selection"]
            shown = [f"{selection['positives_per_query']:.1f}", f"{each['ignored'] / each['queries']:.1f}"]
            shown += ["–" if (value := selection[key]) is None else f"{value:.1f}" for key in ("precision", "recall")]
            labels.append([collection, name, *shown, f"{each['agreement']['kappa']:.2f}"])
        scores = found["metrics"][METRICS[0]]
        for name in (each for each in scores if each != "questions"):
            over = scores[name]["over"]
            differences = [difference(over[base]) if base in over else "" for base in BASES]
            rows.append([collection, name, str(scores["questions"]), cell(scores[name]), *differences])
    return "\n\n".join(
        [
            page.table(kinds, labels),
            page.table(
                ["collection", "trained on", "questions", METRICS[0], *(f"over {base}" for base in BASES)], rows
            ),
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
        collection = write(name, arguments.folder, RAW)
        EDITED.write_text(json.dumps(configuration(collection), indent=2))
        files = [f"config/own-corpus{suffix}.yaml" for suffix in FILES]
        command = ["snakemake", "own", "own-labels", "--cores", arguments.cores, "--configfile", *files, str(EDITED)]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        record["collections"][name] = _figures(collection, time.perf_counter() - start)
        record["machine"] = machine()
        write_record(RECORD, record)


if __name__ == "__main__":
    main()
