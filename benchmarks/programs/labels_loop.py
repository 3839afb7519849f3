"""What `merge_labels.py` of the workflow does for utility selections, as a plain loop over rows: the benchmark's peer.

It reads the same columns of the same files, makes the same checks and writes the same table.

    python benchmarks/programs/labels_loop.py --pool FILE ... --annotation FILE ... --output FILE
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("docid", pa.string(), nullable=False),
        pa.field("label", pa.float32(), nullable=False),
        pa.field("rank", pa.int32()),
        pa.field("source", pa.string(), nullable=False),
    ]
)
ROWS_AT_ONCE = 500_000


def rows(paths: list[Path], columns: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of some files, one by one."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024, columns=columns):
                yield from batch.to_pylist()


def read_selections(paths: list[Path]) -> dict[str, list[str] | None]:
    """Query id → the docids selected; None where the reply could not be used."""
    selections: dict[str, list[str] | None] = {}
    for row in rows(paths, ["query_id", "outcome", "docids"]):
        if row["query_id"] in selections:
            raise SystemExit(f"query {row['query_id']} is annotated twice")
        selections[row["query_id"]] = (row["docids"] or []) if row["outcome"] in ("ok", "empty") else None
    return selections


def read_pool(paths: list[Path]) -> dict[str, list[str]]:
    """Query id → the docids of its candidates."""
    pool: dict[str, list[str]] = {}
    for row in rows(paths, ["query_id", "candidates.list.element.docid"]):
        if row["query_id"] in pool:
            raise SystemExit(f"query {row['query_id']} stands twice in the pool")
        pool[row["query_id"]] = [candidate["docid"] for candidate in row["candidates"]]
    return pool


def labelled(pool: dict[str, list[str]], selections: dict[str, list[str] | None]) -> Iterator[dict[str, Any]]:
    """A row a candidate, ordered by query id."""
    for query_id in sorted(pool):
        docids, selection = pool[query_id], selections[query_id]
        if selection is None:
            continue
        ranks = {docid: rank for rank, docid in enumerate(selection, start=1)}
        if len(set(docids)) < len(docids) or len(ranks) < len(selection) or not ranks.keys() <= set(docids):
            raise SystemExit(f"the candidates or the selection of query {query_id} are not right")
        for docid in docids:
            rank = ranks.get(docid)
            yield {
                "query_id": query_id,
                "docid": docid,
                "label": float(rank is not None),
                "rank": rank,
                "source": "utilsel",
            }


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", nargs="+", type=Path, required=True)
    parser.add_argument("--annotation", nargs="+", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    selections = read_selections(arguments.annotation)
    with pq.ParquetWriter(arguments.output, SCHEMA, compression="zstd") as writer:
        waiting: list[dict[str, Any]] = []
        for row in labelled(read_pool(arguments.pool), selections):
            waiting.append(row)
            if len(waiting) == ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_pylist(waiting, schema=SCHEMA))
                waiting.clear()
        writer.write_table(pa.Table.from_pylist(waiting, schema=SCHEMA))


if __name__ == "__main__":
    main()
