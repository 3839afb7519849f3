"""How close a cascade comes to the full annotation, by the share of the questions that the annotator labels first.

    python benchmarks/cascade.py FOLDER [NAME] [--annotator human|llm] [--selectors NAME …] [--cores 2]
    python benchmarks/cascade.py --table     # the record as Markdown

FOLDER holds public collections as their publishers lay them out (see public_collections.py); NAME is scifact unless
given. BM25's 8 first candidates are labelled, for at most 240 questions. The annotator is humans, who stand for an LLM
that errs little, or the demo's LLM (utility selection).

The annotator labels 5, 10, 20 and 50 % of the questions, and a selector labels the rest, at a threshold of 0.5. One
selector is a MiniLM cross-encoder, which learns from four fifths of these questions and is calibrated on the others
(Platt). The other is the untrained MiniLM retriever, which is calibrated on all of them. The annotator is asked again
where the selector is unsure: where a candidate's probability lies between 0.2 and 0.8. Both bounds and the threshold
are those of config/own-corpus-cascade.yaml. Each share is drawn with three seeds.

What came out goes to results/cascade.json. Run it in a clone of its own: it uses raw/, data/ and results/ there.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import page
from measure import RESULTS, machine, write_record
from rerankers import (
    ANNOTATOR,
    FIRST_STAGES,
    LLM,
    MINILM,
    MODELS,
    PERFORMANCE,
    RAW,
    SEEDS,
    TRAINING,
    label_set,
    own_dataset,
    pool,
)

from utility_annotation.common.files import read_json

RECORD, TABLE = RESULTS / "cascade.json", Path("results/tables/cascades.csv")
ANNOTATORS = {"human": "human", "llm": "utilsel"}
"""The source of labels of each."""
SHARES = (5, 10, 20, 50)
QUESTIONS, CALIBRATED_ON = 240, 0.2
SELECTORS = {"cross-encoder": "", "retriever": "-minilm"}
"""How the label sets of each end."""
UNSURE, THRESHOLD = [0.2, 0.8], 0.5
PARTS = ("train", "calibrate", "unsure")
PAIRS = TRAINING | {"epochs": 4, "seeds": []}


def configuration(name: str, folder: Path, annotator: str, selectors: Sequence[str]) -> dict[str, Any]:
    """The whole configuration: for each selector, share and seed a cascade, beside the full annotation."""
    source = ANNOTATORS[annotator]
    found: dict[str, Any] = {
        "models": MODELS,
        "datasets": {"own": own_dataset(name, folder, {"train": [0, 100]}, {"train": QUESTIONS})},
        "testsets": {"train": {"dataset": "own", "split": "train", "metrics": ["ndcg@10"], "depth": 50}},
        "pools": {"full": pool("train", [FIRST_STAGES["bm25"]])},
        "annotators": {LLM: ANNOTATOR | {"passage_words": 40}},
        "labels": {"full": label_set("full", source)},
        "rerankers": {"selector": {"model": "all-minilm-l6-v2", "length": 96}},
        "backbones": {"minilm": MINILM},
        "trainings": {},
        "performance": PERFORMANCE,
    }
    for row, selector, share, seed in cascades(selectors):
        _add(found, row, selector, share, seed, source)
    rows = [row for row, *_ in cascades(selectors)]
    labels = ["full", *rows, *(f"{row}-selector" for row in rows)]
    table = {"title": "Cascades", "labels": labels, "against": "full", "work": annotator == "llm"}
    found["label_tables"] = {"cascades": table}
    return found


def cascades(selectors: Sequence[str]) -> Iterator[tuple[str, str, int, int]]:
    """(name, selector, share in percent, seed) of each."""
    for selector, share, seed in product(selectors, SHARES, SEEDS):
        yield f"p{share}-s{seed}{SELECTORS[selector]}", selector, share, seed


def _add(found: dict[str, Any], row: str, selector: str, share: int, seed: int, source: str) -> None:
    """Add a cascade: its parts of the pool, their labels, its selector, and all of them together."""
    trained = selector == "cross-encoder"
    learnt = (1 - CALIBRATED_ON) * share if trained else 0
    ends = dict(zip(PARTS, ([0, learnt], [learnt, share], [share, 100]), strict=True))
    parts = PARTS if trained else PARTS[1:]
    for part in parts:
        percent = ends[part]
        source_of_part = {"format": "pool", "pool": "full", "percent": percent, "seed": seed}
        if part == "unsure":
            source_of_part |= {"unsure": f"{row}-selector", "between": UNSURE}
        found["pools"][f"{row}-{part}"] = {"dataset": "own", "split": "train", "source": source_of_part}
        found["labels"][f"{row}-{part}"] = label_set(f"{row}-{part}", source)
    if trained:
        found["trainings"][f"{row}-pairs"] = {"labels": f"{row}-train", **PAIRS, "seed": seed}
    found["labels"][f"{row}-selector"] = {
        "pool": "full",
        "source": "selector",
        "reranker": _model(row, selector),
        "calibration": f"{row}-calibrate",
        "method": "platt",
        "threshold": THRESHOLD,
    }
    members = [*(f"{row}-{part}" for part in parts), f"{row}-selector"]
    found["labels"][row] = {"pool": "full", "source": "cascade", "of": members}


def _model(row: str, selector: str) -> str:
    return f"selector/{row}-pairs" if selector == "cross-encoder" else "minilm/untrained"


def _figures(seconds: float, annotator: str, selectors: Sequence[str]) -> dict[str, Any]:
    """What a run left behind, in figures."""
    rows, tokens = [], _tokens()
    for row, selector, share, seed in cascades(selectors):
        whole, alone = (_agreement(f"{row}{suffix}") for suffix in ("", "-selector"))
        asked = sum(count for source, count in whole["sources"].items() if not source.endswith("-selector"))
        calibration = Path(f"results/calibrations/{_model(row, selector)}/{row}-calibrate.json")
        found = {"selector": selector, "share": share, "seed": seed, "asked": asked, "cascade": whole, "alone": alone}
        found["calibration"] = {key: read_json(calibration, "auc")[key] for key in ("questions", "auc", "auc_interval")}
        rows.append(found | ({"tokens": tokens[row]} if row in tokens else {}))
    found = {"annotator": annotator, "seconds": round(seconds), "questions": rows[0]["cascade"]["questions"]}
    return found | ({"tokens": tokens["full"]} if tokens else {}) | {"cascades": rows}


def _agreement(labels: str) -> dict[str, Any]:
    found: dict[str, Any] = read_json(Path(f"results/agreement/labels/{labels}/full.json"), "kappa", "sources")
    return found


def _tokens() -> dict[str, float]:
    """What the LLM read and wrote for each label set; empty if it was not asked."""
    with TABLE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "llm_tokens" and row["value"]]
    return {row["labels"]: float(row["value"]) for row in rows}


def table(record: dict[str, Any]) -> str:
    """The record as Markdown: per share the mean over the seeds, and their standard deviation."""
    head = ["collection", "annotator", "selector", "share", "asked", "kappa", "precision", "recall"]
    rows = []
    for collection, by_annotator in record["collections"].items():
        for annotator, found in by_annotator.items():
            for selector, share in dict.fromkeys((row["selector"], row["share"]) for row in found["cascades"]):
                own = [row for row in found["cascades"] if (row["selector"], row["share"]) == (selector, share)]
                asked = statistics.mean(row["asked"] for row in own) / found["questions"]
                cells = [_spread([row["cascade"][key] for row in own]) for key in ("kappa", "precision", "recall")]
                alone = [_spread([row["alone"][key] for row in own]) for key in ("kappa", "precision", "recall")]
                auc = _spread([row["calibration"]["auc"] for row in own])
                rows.append(
                    [collection, annotator, selector, f"{share} %", f"{100 * asked:.0f} %", *cells, *alone, auc]
                )
    head += ["selector alone: kappa", "precision", "recall", "AUC of its scores"]
    return page.table(head, rows)


def _spread(values: list[float | None]) -> str:
    defined = [value for value in values if value is not None]
    if len(defined) < 2:
        return "–"
    digits = 2 if max(map(abs, defined)) <= 1 else 0
    return f"{statistics.mean(defined):.{digits}f} ± {statistics.stdev(defined):.{digits}f}"


def main() -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("name", nargs="?", default="scifact")
    parser.add_argument("--annotator", choices=list(ANNOTATORS), default="human")
    parser.add_argument("--selectors", nargs="+", choices=list(SELECTORS), default=list(SELECTORS))
    parser.add_argument("--cores", default="2")
    parser.add_argument("--table", action="store_true", help="print the record")
    arguments = parser.parse_args()
    record: dict[str, Any] = read_json(RECORD) if RECORD.is_file() else {"collections": {}}
    if arguments.table:
        print(table(record))
        return
    if arguments.folder is None:
        parser.error("name the folder of the public collections.")
    for made in ("data/own", "results"):
        shutil.rmtree(made, ignore_errors=True)
    RAW.mkdir(parents=True, exist_ok=True)
    file = RAW.parent / "cascade.json"
    found = configuration(arguments.name, arguments.folder, arguments.annotator, arguments.selectors)
    file.write_text(json.dumps(found, indent=2))
    start = time.perf_counter()
    subprocess.run(["snakemake", "cascades", "--cores", arguments.cores, "--configfile", str(file)], check=True)
    found = _figures(time.perf_counter() - start, arguments.annotator, arguments.selectors)
    record["collections"].setdefault(arguments.name, {})[arguments.annotator] = found
    record["machine"] = machine()
    write_record(RECORD, record)


if __name__ == "__main__":
    main()
