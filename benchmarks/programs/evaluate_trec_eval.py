"""A run's metrics by pytrec_eval, from the same files and with a value a query: the peer of `evaluate.py`.

python benchmarks/programs/evaluate_trec_eval.py --run RUN.parquet --qrels QRELS.parquet --output PER_QUERY.parquet
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytrec_eval

MEASURES = {
    "ndcg@10": "ndcg_cut_10",
    "recall@100": "recall_100",
    "recall@1000": "recall_1000",
    "map": "map",
    "mrr": "recip_rank",
}


def by_query(path: Path, value: str) -> dict[str, dict[str, Any]]:
    """Query id → docid → value."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    columns = pq.read_table(path, columns=["query_id", "docid", value]).to_pydict()
    for query_id, docid, each in zip(columns["query_id"], columns["docid"], columns[value], strict=True):
        found[query_id][docid] = each
    return dict(found)


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--qrels", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    evaluator = pytrec_eval.RelevanceEvaluator(
        by_query(arguments.qrels, "grade"), {"ndcg_cut.10", "recall.100,1000", "map", "recip_rank"}
    )
    values = evaluator.evaluate(by_query(arguments.run, "score"))
    rows = [
        {"query_id": query_id, "metric": metric, "value": of_query[measure]}
        for metric, measure in MEASURES.items()
        for query_id, of_query in values.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), arguments.output, compression="zstd")


if __name__ == "__main__":
    main()
