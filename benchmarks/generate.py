"""Generated input of the shape and size of the paper's: queries with 31 candidates each, as in MS MARCO.

Query ids and docids are numbers as in MS MARCO; a passage has 30 to 80 words (55 on average) and depends on its docid
alone. The texts come from a small store, so that generating them costs little.

    python benchmarks/generate.py rows FILE.jsonl --queries 20000
    python benchmarks/generate.py annotated FOLDER --queries 20000 --shards 64
    python benchmarks/generate.py run FOLDER --queries 6980
    python benchmarks/generate.py vectors FOLDER --passages 200000
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

from utility_annotation.io.schemas import ANNOTATION, CANDIDATE, DOCIDS, POOL, QRELS, RUN
from utility_annotation.pools.shards import shard_names

QUERY_IDS, PASSAGES, CANDIDATES, TEXTS = 1_185_869, 8_841_823, 31, 20_000
DEPTH, DIMENSION, SEARCHED_QUERIES, VECTOR_SHARDS = 1000, 768, 1000, 4


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
    band = PASSAGES // CANDIDATES  # one docid from each band, so that none stands twice
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


def write_run(folder: Path, queries: int) -> None:
    """A run ``run.parquet`` of 1,000 passages a query and ``qrels.parquet`` with 1 to 3 graded passages a query.

    A graded passage is retrieved at a random rank, or for one in four not at all.
    """
    source = np.random.default_rng(0)
    query_ids = _strings(source.permutation(QUERY_IDS)[:queries])
    band = PASSAGES // DEPTH
    docids = source.permuted(source.integers(0, band, (queries, DEPTH)) + band * np.arange(DEPTH), axis=1)
    scores = -np.sort(-source.random((queries, DEPTH), np.float32), axis=1)
    RUN.write(
        folder / "run.parquet",
        RUN.table(
            {
                "query_id": query_ids.take(pa.array(np.repeat(np.arange(queries), DEPTH))),
                "docid": _strings(docids.ravel()),
                "rank": np.tile(np.arange(1, DEPTH + 1, dtype=np.int32), queries),
                "score": scores.ravel().astype(np.float64),
            }
        ),
    )
    counts = source.integers(1, 4, queries)
    graded = np.repeat(np.arange(queries), counts)
    within = np.concatenate([source.choice(DEPTH, count, replace=False) for count in counts.tolist()])
    retrieved = source.random(len(graded)) < 0.75
    judged = np.where(retrieved, docids[graded, within], PASSAGES + np.arange(len(graded)))
    QRELS.write(
        folder / "qrels.parquet",
        QRELS.table(
            {
                "query_id": query_ids.take(pa.array(graded)),
                "docid": _strings(judged),
                "grade": source.integers(1, 4, len(graded)).astype(np.int32),
            }
        ),
    )


def write_vectors(folder: Path, passages: int) -> None:
    """Random vectors of length 1: fp32 of 1,000 queries, and fp16 of the passages in four shards with their docids."""
    source = np.random.default_rng(0)
    np.save(folder / "queries.npy", _unit(source, SEARCHED_QUERIES))
    (folder / "corpus").mkdir()
    rows = np.array_split(np.arange(passages), VECTOR_SHARDS)
    for part, name in zip(rows, shard_names(VECTOR_SHARDS), strict=True):
        np.save(folder / "corpus" / f"{name}.npy", _unit(source, len(part)).astype(np.float16))
        DOCIDS.write(folder / "corpus" / f"{name}.parquet", DOCIDS.table({"docid": _strings(part)}))


def _unit(source: np.random.Generator, count: int) -> np.ndarray:
    vectors = source.standard_normal((count, DIMENSION), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _strings(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("rows", "annotated", "run", "vectors"):
        options = kinds.add_parser(kind)
        options.add_argument("path", type=Path)
        options.add_argument("--passages" if kind == "vectors" else "--queries", type=int, required=True, dest="count")
        if kind == "annotated":
            options.add_argument("--shards", type=int, default=64)
    arguments = parser.parse_args()
    if arguments.kind == "rows":
        write_rows(arguments.path, draw(arguments.count))
    elif arguments.kind == "annotated":
        write_annotated(arguments.path, draw(arguments.count), arguments.shards)
    elif arguments.kind == "run":
        write_run(arguments.path, arguments.count)
    else:
        write_vectors(arguments.path, arguments.count)


if __name__ == "__main__":
    main()
