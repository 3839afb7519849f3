"""What the completion store costs when it is large: finding a shard's keys, listing, pruning, exporting."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import measure
import page
from comparison import PROGRAMS, SCRIPTS, Command

RECORDS, KEYS = 500_000, 15_000


def measure_store(rounds: int, records: int = RECORDS, keys: int = KEYS) -> dict[str, Any]:
    """Each operation in a process of its own, once to warm up and then ``rounds`` times; each prune on a new copy."""
    with tempfile.TemporaryDirectory() as temporary:
        store, exported, copy = (Path(temporary) / name for name in ("store", "exported", "copy"))
        exported.mkdir()
        size = ["--records", str(records)]
        measure.run([sys.executable, PROGRAMS / "completion_store.py", "fill", store, *size])

        def find(folder: Path) -> Command:
            return [sys.executable, PROGRAMS / "completion_store.py", "find", folder, *size, "--keys", str(keys)]

        def upkeep(work: str, folder: Path, *options: str | Path) -> Command:
            return [sys.executable, SCRIPTS / "completions.py", work, folder, *options]

        def copied() -> None:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(store, copy)

        def nothing() -> None:
            pass

        file = exported / "store.jsonl.gz"
        operations: dict[str, tuple[Command, Callable[[], None]]] = {
            "find": (find(store), nothing),
            "list": (upkeep("list", store), nothing),
            "export to .gz": (upkeep("export", store, "--output", file), nothing),
            "find in the exported file": (find(exported), nothing),
            "prune": (upkeep("prune", copy), copied),
            "find after pruning": (find(copy), nothing),
        }
        costs: dict[str, list[measure.Cost]] = {name: [] for name in operations}
        for number in range(1 + rounds):
            for name, (command, prepare) in operations.items():
                prepare()
                cost = measure.run(command)
                if number:
                    costs[name].append(cost)
            print(f"store: round {number} of {rounds}", file=sys.stderr, flush=True)
        return {
            "machine": measure.machine("orjson"),
            "rounds": rounds,
            "records": records,
            "keys": keys,
            "segments": len(list(store.iterdir())),
            "megabytes": round(sum(path.stat().st_size for path in store.iterdir()) / 1e6),
            "exported_megabytes": round(file.stat().st_size / 1e6),
            "operations": {name: measure.summary(each) for name, each in costs.items()},
        }


def section(record: Mapping[str, Any]) -> str:
    """A row an operation."""
    rows = [
        [name, page.spread(cost["seconds"]), page.spread(cost["cpu_seconds"]), f"{cost['peak_megabytes']:,}"]
        for name, cost in record["operations"].items()
    ]
    return "\n\n".join(
        [
            "## The completion store",
            f"A store of {record['records']:,} replies in {record['segments']} files, {record['megabytes']:,} MB "
            f"({record['exported_megabytes']:,} MB exported), in the page cache. What is found are {record['keys']:,} "
            "keys from everywhere in it, about as many as a shard of the paper's asks for. Seconds are those of whole "
            "processes.",
            page.table(["operation", "seconds", "CPU seconds", "memory, MB"], rows),
            page.measured(record, record["rounds"]),
        ]
    )
