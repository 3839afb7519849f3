"""What `build_pool.py` of the workflow does with Tevatron's rows, through the library `datasets`: a peer.

`load_dataset("json")`, a `map` that makes the pool's rows, and a `to_parquet` a shard; with `--load-only` the first of
these alone. The library keeps a copy of its own of what it loads and maps; it lies in the output's folder.

    python benchmarks/programs/pool_datasets.py --rows FILE.jsonl --shards 64 --output FOLDER [--load-only]
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import datasets
import numpy as np
from pool_json_loop import pool_row

from utility_annotation.io.schemas import POOL
from utility_annotation.pools.shards import shard_names, shard_of


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--load-only", action="store_true")
    arguments = parser.parse_args()
    datasets.disable_progress_bars()
    cache = arguments.output / "cache"
    rows = datasets.load_dataset("json", data_files=str(arguments.rows), split="train", cache_dir=str(cache))
    if not arguments.load_only:
        features = datasets.Features.from_arrow_schema(POOL.schema)
        pool = rows.map(pool_row, remove_columns=rows.column_names, features=features)
        shards = np.array([shard_of(query_id, arguments.shards) for query_id in pool["query_id"]])
        for number, name in enumerate(shard_names(arguments.shards)):
            part = pool.select(np.flatnonzero(shards == number))
            part.to_parquet(arguments.output / f"{name}.parquet")
    shutil.rmtree(cache)


if __name__ == "__main__":
    main()
