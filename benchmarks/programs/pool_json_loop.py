"""What `build_pool.py` of the workflow does with Tevatron's rows, as a plain loop over `json.loads`: a peer.

The place of a query (its shard) and of its candidates (their order) are the workflow's own definitions; the rest is
what one would write: a dictionary a candidate, a list of rows a shard, written a row group at a time.

    python benchmarks/programs/pool_json_loop.py --rows FILE.jsonl --shards 64 --output FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.io.schemas import POOL
from utility_annotation.pools.shards import shard_names, shard_of, shuffled

SIZE, SEED, ROWS_AT_ONCE = 31, 42, 256


def pool_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the pool: positives first, each docid once, then shuffled."""
    candidates: list[dict[str, Any]] = []
    seen: set[str] = set()
    for human, passages in ((True, row["positive_passages"]), (False, row["negative_passages"])):
        for passage in passages:
            if passage["docid"] not in seen and len(candidates) < SIZE:
                seen.add(passage["docid"])
                candidates.append(
                    {
                        "docid": passage["docid"],
                        "title": passage["title"] or None,
                        "text": passage["text"],
                        "human": human,
                        "rank": len(candidates) + 1,
                    }
                )
    order = shuffled(row["query_id"], len(candidates), SEED)
    return {
        "query_id": row["query_id"],
        "query": row["query"],
        "candidates": [candidates[place] for place in order],
    }


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    writers = [
        pq.ParquetWriter(arguments.output / f"{name}.parquet", POOL.schema, compression="zstd")
        for name in shard_names(arguments.shards)
    ]
    waiting: list[list[dict[str, Any]]] = [[] for _ in writers]
    with arguments.rows.open(encoding="utf-8") as stream:
        for line in stream:
            row = pool_row(json.loads(line))
            shard = shard_of(row["query_id"], arguments.shards)
            waiting[shard].append(row)
            if len(waiting[shard]) == ROWS_AT_ONCE:
                writers[shard].write_table(pa.Table.from_pylist(waiting[shard], schema=POOL.schema))
                waiting[shard].clear()
    for writer, rows in zip(writers, waiting, strict=True):
        writer.write_table(pa.Table.from_pylist(rows, schema=POOL.schema))
        writer.close()


if __name__ == "__main__":
    main()
