"""Exact search of given query vectors by the workflow's library, from its files to its run.

python benchmarks/programs/search.py --queries FILE.npy --corpus FOLDER --depth 1000 --output RUN.parquet
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.io.schemas import RUN
from utility_annotation.retrieval.search import search


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=Path, required=True, help="fp32 vectors")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of vectors (npy, fp16) and docids (parquet)")
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    start = time.perf_counter()
    queries = np.load(arguments.queries)
    run = search(
        [str(number) for number in range(len(queries))],
        queries,
        sorted(arguments.corpus.glob("*.npy")),
        sorted(arguments.corpus.glob("*.parquet")),
        depth=arguments.depth,
        drop_query_document=False,
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
    )
    RUN.write(arguments.output, run)
    print(json.dumps({"work_seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
