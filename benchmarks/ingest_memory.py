"""Memory and speed of building a pool from a Tevatron version 1 file of 1 GB.

The file is generated in a temporary folder and removed afterwards; the pool is built by the workflow's own script in a
process of its own, whose peak resident memory is what the operating system reports.

    python benchmarks/ingest_memory.py [--gigabytes 1] [--shards 64] [--gzip] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PASSAGES = 31


def generate(path: Path, size: int) -> int:
    """Write rows of one positive and 30 negatives, as long as MS MARCO's passages, up to ``size`` bytes of JSON."""
    source = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(source.choices(letters, k=source.randint(2, 9))) for _ in range(20_000)]
    written = rows = 0
    with gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb") as stream:
        while written < size:
            passages = [
                {
                    "docid": f"{rows}-{place}",
                    "title": "",
                    "text": " ".join(source.choices(words, k=source.randint(30, 80))),
                }
                for place in range(PASSAGES)
            ]
            row = {
                "query_id": str(rows),
                "query": " ".join(source.choices(words, k=6)),
                "positive_passages": passages[:1],
                "negative_passages": passages[1:],
            }
            written += stream.write(json.dumps(row).encode() + b"\n")
            rows += 1
    return rows


def measure(source: Path, folder: Path, shards: int) -> tuple[float, float, int]:
    """Build the pool in a process of its own; return wall-clock seconds, CPU seconds and peak resident bytes."""
    settings = {
        "dataset": "generated",
        "source": {"format": "tevatron", "path": str(source)},
        "shards": shards,
    }
    outputs = [str(folder / f"{shard:04d}-of-{shards:04d}.parquet") for shard in range(shards)]
    script = str(ROOT / "workflow" / "scripts" / "build_pool.py")
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, script, "--settings", json.dumps(settings), "--output", *outputs])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"build_pool.py failed (exit code {os.waitstatus_to_exitcode(status)})")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    """Generate, measure, write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the generated JSON (10^9 bytes)")
    parser.add_argument("--shards", type=int, default=64, help="shards of the pool")
    parser.add_argument("--gzip", action="store_true", help="compress the generated file")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_memory.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / ("train.jsonl.gz" if arguments.gzip else "train.jsonl")
        size = int(arguments.gigabytes * 1e9)
        rows = generate(source, size)
        seconds, cpu_seconds, peak = measure(source, Path(folder) / "pool", arguments.shards)
        on_disk = source.stat().st_size
    result = {
        "rows": rows,
        "passages": rows * PASSAGES,
        "json_bytes": size,
        "file_bytes": on_disk,
        "shards": arguments.shards,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "megabytes_per_second": round(size / 1e6 / seconds, 1),
        "peak_resident_megabytes": round(peak / 1e6),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
