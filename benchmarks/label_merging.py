"""Merging the labels of a pool with 31 candidates a query, beside a plain loop over rows, at three sizes.

Pool (with its passages' texts) and utility selections are generated in a temporary folder and removed afterwards. The
workflow's own script and `merge_labels_loop.py` run in turn, each in a process of its own; their tables must be equal.

    python benchmarks/label_merging.py [--queries 491007] [--shards 64] [--pairs 5] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import measure

SETTINGS = json.dumps({"pool": "generated", "source": "utilsel", "annotator": "generated"})
OURS = [measure.ROOT / "workflow" / "scripts" / "merge_labels.py", "--settings", SETTINGS]
LOOP = [measure.ROOT / "benchmarks" / "merge_labels_loop.py"]
SAME = "import sys, pyarrow.parquet as pq; a, b = map(pq.read_table, sys.argv[1:]); sys.exit(not a.equals(b))"


def merge(command: list[str | Path], folder: Path, output: Path) -> measure.Cost:
    """Merge the shards in ``folder`` with one of the two programs."""
    pool, annotation = (sorted((folder / kind).iterdir()) for kind in ("pool", "utilsel"))
    return measure.run([sys.executable, *command, "--pool", *pool, "--annotation", *annotation, "--output", output])


def measure_size(queries: int, shards: int, pairs: int) -> dict[str, object]:
    """Generate ``queries`` queries, merge once with each program and compare, then measure both in turn."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generate = measure.ROOT / "benchmarks" / "generate.py"
        measure.run([sys.executable, generate, "annotated", folder, "--queries", str(queries), "--shards", str(shards)])
        outputs = folder / "ours.parquet", folder / "loop.parquet"
        ours, loop = (
            partial(merge, command, folder, output) for command, output in zip((OURS, LOOP), outputs, strict=True)
        )
        ours(), loop()
        if subprocess.run([sys.executable, "-c", SAME, *outputs]).returncode:
            raise SystemExit("the two programs did not write the same labels")
        ours_costs, loop_costs = measure.in_turn(ours, loop, pairs)
        return {
            "queries": queries,
            "pool_megabytes": round(sum(path.stat().st_size for path in (folder / "pool").iterdir()) / 1e6),
            "ours": measure.summary(ours_costs),
            "loop": measure.summary(loop_costs),
            "times_as_fast": measure.ratios(ours_costs, loop_costs),
        }


def main() -> None:
    """Measure a quarter, a half and all of the queries; write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=491_007, help="the largest size")
    parser.add_argument("--shards", type=int, default=64, help="shards of the pool")
    parser.add_argument("--pairs", type=int, default=5, help="measurements of each program at each size")
    parser.add_argument("--output", type=Path, default=measure.RESULTS / "label_merging.json")
    arguments = parser.parse_args()
    record: dict[str, object] = {
        "machine": measure.machine("pyarrow", "numpy"),
        "shards": arguments.shards,
        "pairs": arguments.pairs,
    }
    record["sizes"] = [measure_size(arguments.queries // part, arguments.shards, arguments.pairs) for part in (4, 2, 1)]
    measure.write_record(arguments.output, record)


if __name__ == "__main__":
    main()
