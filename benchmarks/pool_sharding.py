"""Memory and time of sharding training rows with 31 passages each, at three sizes.

The rows (Tevatron, version 1) are generated in a temporary folder and removed afterwards; the workflow's own script
shards them in a process of its own.

    python benchmarks/pool_sharding.py [--queries 491007] [--shards 64] [--repeats 1] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import measure


def shard(source: Path, folder: Path, shards: int) -> measure.Cost:
    """Build the pool's shards in ``folder``."""
    settings = {"dataset": "generated", "source": {"format": "tevatron", "path": str(source)}, "shards": shards}
    outputs = [folder / f"{number:04d}-of-{shards:04d}.parquet" for number in range(shards)]
    script = measure.ROOT / "workflow" / "scripts" / "build_pool.py"
    return measure.run([sys.executable, script, "--settings", json.dumps(settings), "--output", *outputs])


def measure_size(queries: int, shards: int, repeats: int) -> dict[str, object]:
    """Generate ``queries`` rows and shard them ``repeats`` times."""
    with tempfile.TemporaryDirectory() as folder:
        source, pool = Path(folder) / "rows.jsonl", Path(folder) / "pool"
        generate = measure.ROOT / "benchmarks" / "generate.py"
        measure.run([sys.executable, generate, "rows", source, "--queries", str(queries)])
        costs = [shard(source, pool, shards) for _ in range(repeats)]
        return {
            "queries": queries,
            "json_megabytes": round(source.stat().st_size / 1e6),
            "pool_megabytes": round(sum(path.stat().st_size for path in pool.iterdir()) / 1e6),
            **measure.summary(costs),
        }


def main() -> None:
    """Measure a quarter, a half and all of the queries; write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=491_007, help="the largest size")
    parser.add_argument("--shards", type=int, default=64, help="shards of the pool")
    parser.add_argument("--repeats", type=int, default=1, help="measurements at each size")
    parser.add_argument("--output", type=Path, default=measure.RESULTS / "pool_sharding.json")
    arguments = parser.parse_args()
    record: dict[str, object] = {
        "machine": measure.machine("pyarrow", "orjson"),
        "shards": arguments.shards,
        "repeats": arguments.repeats,
    }
    record["sizes"] = [
        measure_size(arguments.queries // part, arguments.shards, arguments.repeats) for part in (4, 2, 1)
    ]
    measure.write_record(arguments.output, record)


if __name__ == "__main__":
    main()
