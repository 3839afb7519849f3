"""Generated input of the shape and size of the paper's: queries with 31 candidates each, as in MS MARCO.

Query ids and docids are numbers as in MS MARCO; a passage has 30 to 80 words (55 on average) and depends on its docid
alone. The texts come from a small store, so that generating them costs little.

    python benchmarks/generate.py rows FILE.jsonl --queries 20000
    python benchmarks/generate.py annotated FOLDER --queries 20000 --shards 64
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from utility_annotation.contracts import ANNOTATION, CANDIDATE, POOL
from utility_annotation.pools import shard_names

QUERY_IDS, DOCIDS, CANDIDATES, TEXTS = 1_185_869, 8_841_823, 31, 20_000


@dataclass(frozen=True)
class Queries:
    """Some queries: ids (n), docids of the candidates (n × 31), place of the human positive (n), selection (n × 31)."""

    query_ids: np.ndarray
    docids: np.ndarray
    human: np.ndarray
    selected: np.ndarray

    def __getitem__(self, places: slice) -> Queries:
        return Queries(self.query_ids[places], self.docids[places], self.human[places], self.selected[places])


def draw(count: int) -> Queries:
    """``count`` queries; the LLM selects 3 of 31 candidates on average, and nothing for about one query in 25."""
    source = np.random.default_rng(0)
    band = DOCIDS // CANDIDATES  # one docid from each band, so that none stands twice
    docids = source.permuted(source.integers(0, band, (count, CANDIDATES)) + band * np.arange(CANDIDATES), axis=1)
    return Queries(
        source.permutation(QUERY_IDS)[:count],
        docids,
        source.integers(0, CANDIDATES, count),
        source.random((count, CANDIDATES)) < 3 / CANDIDATES,
    )


def texts() -> list[str]:
    """The passages, of the demo's words, as often as it has them; docid d has text d mod ``TEXTS``."""
    source = random.Random(0)
    demo = Path(__file__).resolve().parents[1] / "resources" / "demo" / "beir" / "corpus.jsonl"
    words = [word for line in demo.open(encoding="utf-8") for word in json.loads(line)["text"].split()]
    return [" ".join(source.choices(words, k=source.randint(30, 80))) for _ in range(TEXTS)]


def write_rows(path: Path, queries: Queries) -> None:
    """Tevatron's training rows, version 1: one positive and 30 negatives with their passages."""
    passages = [json.dumps(text) for text in texts()]
    with path.open("w", encoding="utf-8") as stream:
        for query_id, docids in zip(queries.query_ids.tolist(), queries.docids, strict=True):
            first, *others = (
                f'{{"docid": "{docid}", "title": "", "text": {passages[docid % TEXTS]}}}' for docid in docids.tolist()
            )
            stream.write(
                f'{{"query_id": "{query_id}", "query": "what is the meaning of {query_id}", '
                f'"positive_passages": [{first}], "negative_passages": [{", ".join(others)}]}}\n'
            )


def write_annotated(folder: Path, queries: Queries, shards: int) -> None:
    """A pool's shards in ``folder/pool`` and those of its utility selection in ``folder/utilsel``."""
    passages = pa.array(texts())
    for shard, name in enumerate(shard_names(shards)):
        part = queries[shard::shards]
        POOL.write(folder / "pool" / f"{name}.parquet", _pool(part, passages))
        ANNOTATION.write(folder / "utilsel" / f"{name}.parquet", _annotation(part))


def _pool(part: Queries, passages: pa.Array) -> pa.Table:
    docids = part.docids.ravel()
    human = np.zeros(part.docids.shape, bool)
    human[np.arange(len(human)), part.human] = True
    columns = [
        _strings(docids),
        pa.nulls(len(docids), pa.string()),
        passages.take(pa.array(docids % TEXTS)),
        pa.array(human.ravel()),
        pa.array(np.argsort(np.argsort(~human, axis=1, kind="stable"), axis=1).ravel() + 1, pa.int32()),
    ]
    candidates = pa.ListArray.from_arrays(
        pa.array(np.arange(0, len(docids) + 1, CANDIDATES), pa.int32()),
        pa.StructArray.from_arrays(columns, fields=list(CANDIDATE)),
        type=POOL.schema.field("candidates").type,
    )
    query_ids = _strings(part.query_ids)
    queries = pc.binary_join_element_wise("what is the meaning of", query_ids, " ")
    return POOL.table({"query_id": query_ids, "query": queries, "candidates": candidates})


def _annotation(part: Queries) -> pa.Table:
    count = len(part.query_ids)
    sizes = part.selected.sum(1)
    columns = {
        "query_id": _strings(part.query_ids),
        "outcome": np.where(sizes > 0, "ok", "empty"),
        "docids": pa.ListArray.from_arrays(
            pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32()), _strings(part.docids[part.selected])
        ),
        "whole_pool": np.zeros(count, bool),
        "replies": [
            [f"My selection:{[[place + 1] for place in np.flatnonzero(row).tolist()]}"] for row in part.selected
        ],
        "attempts": np.ones(count, np.int32),
        "prompt_tokens": np.full(count, 2800),
        "completion_tokens": 5 + 4 * sizes,
    }
    return ANNOTATION.table(
        {field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in ANNOTATION.schema}
    )


def _strings(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["rows", "annotated"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--queries", type=int, required=True)
    parser.add_argument("--shards", type=int, default=64)
    arguments = parser.parse_args()
    queries = draw(arguments.queries)
    if arguments.kind == "rows":
        write_rows(arguments.path, queries)
    else:
        write_annotated(arguments.path, queries, arguments.shards)


if __name__ == "__main__":
    main()
