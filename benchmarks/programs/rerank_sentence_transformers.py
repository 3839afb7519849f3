"""A run ordered again by CrossEncoder.predict, which sorts the pairs by length itself.

Timed is all from reading the run to writing the new one; one batch to warm up is not.

    python benchmarks/programs/rerank_sentence_transformers.py --input FOLDER --output FILE.parquet
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import pyarrow.parquet as pq
from sentence_transformers import CrossEncoder


def main() -> None:
    """Rerank."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, required=True, help="folder of run, queries, corpus and model")
    parser.add_argument("--output", type=Path, required=True, help="the new run (parquet)")
    parser.add_argument("--batch-size", type=int, default=32, help="sentence-transformers' own default")
    arguments = parser.parse_args()
    model = CrossEncoder(str(arguments.input / "model"), device="cpu", trust_remote_code=False)
    model.predict([("a batch", "to warm up")] * arguments.batch_size, batch_size=arguments.batch_size)
    start = time.perf_counter()
    run, queries, corpus = (pq.read_table(arguments.input / f"{name}.parquet") for name in ("run", "queries", "corpus"))
    questions = dict(zip(queries["query_id"].to_pylist(), queries["text"].to_pylist(), strict=True))
    passages = dict(zip(corpus["docid"].to_pylist(), corpus["text"].to_pylist(), strict=True))
    found = list(zip(run["query_id"].to_pylist(), run["docid"].to_pylist(), strict=True))
    pairs = [(questions[query_id], passages[docid]) for query_id, docid in found]
    scores = model.predict(pairs, batch_size=arguments.batch_size, show_progress_bar=False)
    again = run.set_column(run.column_names.index("score"), "score", [scores])
    again = again.sort_by([("query_id", "ascending"), ("score", "descending"), ("docid", "descending")])
    ranks = run["rank"]  # 1 to the same number for every query
    pq.write_table(again.set_column(again.column_names.index("rank"), "rank", ranks), arguments.output)
    seconds = time.perf_counter() - start
    limit = model.tokenizer.model_max_length
    ids = model.tokenizer(*map(list, zip(*pairs, strict=True)), truncation=True, max_length=limit)["input_ids"]
    print(json.dumps({"tokens": sum(map(len, ids)), "work_seconds": seconds}))


if __name__ == "__main__":
    main()
