"""Exact search with faiss's IndexFlatIP, from the same files to the same run: the peer of `search.py`.

The vectors are put into the index shard by shard, so that they stand in memory once and a shard twice.

    python benchmarks/programs/search_faiss.py --queries FILE.npy --corpus FOLDER --depth 1000 --output RUN.parquet
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
    start = time.perf_counter()
    queries = np.load(arguments.queries)
    index = faiss.IndexFlatIP(queries.shape[1])
    docids = []
    for vectors in sorted(arguments.corpus.glob("*.npy")):
        index.add(np.load(vectors).astype(np.float32))
        docids.append(pq.read_table(vectors.with_suffix(".parquet"))["docid"].combine_chunks())
    scores, rows = index.search(queries, arguments.depth)
    count, depth = scores.shape
    table = pa.table(
        {
            "query_id": np.repeat(np.arange(count).astype(str), depth),
            "docid": pa.concat_arrays(docids).take(pa.array(rows.ravel())),
            "rank": np.tile(np.arange(1, depth + 1, dtype=np.int32), count),
            "score": scores.ravel().astype(np.float64),
        }
    )
    pq.write_table(table, arguments.output, compression="zstd")
    print(json.dumps({"work_seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
