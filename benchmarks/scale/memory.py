"""One part of the workflow on generated rows, for its peak memory: what grows with the questions or the passages.

    python benchmarks/scale/memory.py make KIND FOLDER ROWS
    python benchmarks/scale/memory.py run KIND FOLDER ROWS

Ids are numbers of up to eight digits, texts a few letters: texts stay on the disk, ids are held.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.io.schemas import CANDIDATE, CORPUS, DOCIDS, LABELS, POOL, RUN

CANDIDATES = 31
PASSAGES = 100_000_000
DIMENSION = 8


def _docids(rows: int) -> pa.Array:
    """Ids spread over those of the large corpus, each once."""
    return pa.array(np.arange(rows) * (PASSAGES // rows)).cast(pa.string())


def _query_ids(rows: int) -> pa.Array:
    return pa.array(np.repeat(np.arange(1_000_000, 1_000_000 + rows // CANDIDATES), CANDIDATES)).cast(pa.string())


def make_rankings(folder: Path, rows: int) -> None:
    """A run of so many rows, 31 a question."""
    queries, count = _query_ids(rows), rows // CANDIDATES
    ranks = np.tile(np.arange(1, CANDIDATES + 1, dtype=np.int32), count)
    RUN.write(
        folder / "run.parquet",
        RUN.table({"query_id": queries, "docid": _docids(len(queries)), "rank": ranks, "score": -ranks.astype(float)}),
    )


def run_rankings(folder: Path, rows: int) -> None:
    """Read it twice, as mining and the search for duplicates read the runs of two retrievers."""
    from utility_annotation.retrieval.runs import read_rankings

    rankings = [read_rankings(folder / "run.parquet") for _ in range(2)]
    assert all(rankings)


def make_passages(folder: Path, rows: int) -> None:
    """A corpus of so many passages."""
    texts = pa.repeat("text", rows)
    CORPUS.write(
        folder / "corpus.parquet",
        CORPUS.table({"docid": _docids(rows), "title": pa.nulls(rows, pa.string()), "text": texts}),
    )


def run_passages(folder: Path, rows: int) -> None:
    """Open it for look-ups as the building of a pool does."""
    from utility_annotation.io.passages import PassageStore

    with PassageStore(folder / "corpus.parquet", folder) as store:
        store.find(["0"])


def make_vectors(folder: Path, rows: int) -> None:
    """Vectors of so many passages, of few dimensions."""
    np.save(folder / "vectors.npy", np.random.default_rng(0).random((rows, DIMENSION), np.float32).astype(np.float16))
    DOCIDS.write(folder / "docids.parquet", DOCIDS.table({"docid": _docids(rows)}))


def run_vectors(folder: Path, rows: int) -> None:
    """Search them for one question."""
    import torch

    from utility_annotation.retrieval.search import search

    search(
        ["1"],
        np.ones((1, DIMENSION), np.float32),
        [folder / "vectors.npy"],
        [folder / "docids.parquet"],
        depth=CANDIDATES,
        drop_query_document=False,
        device=torch.device("cpu"),
    )


def make_hits(folder: Path, rows: int) -> None:
    """Nothing: what a search finds is made where it is ranked."""


def run_hits(folder: Path, rows: int) -> None:
    """Rank so many hits of a search, 31 a question."""
    from utility_annotation.retrieval.runs import rank

    count = rows // CANDIDATES
    query_rows = np.repeat(np.arange(count), CANDIDATES)
    scores = np.random.default_rng(0).random(len(query_rows), np.float32)
    queries = [str(number) for number in range(1_000_000, 1_000_000 + count)]
    RUN.write(folder / "run.parquet", rank(queries, query_rows, _docids(len(query_rows)), scores, depth=CANDIDATES))


def make_lexical_hits(folder: Path, rows: int) -> None:
    """What Anserini writes: so many rows of a run in TREC's format."""
    docids = _docids(rows).to_pylist()
    with (folder / "run.trec").open("w") as stream:
        for row, docid in enumerate(docids):
            rank = row % CANDIDATES
            stream.write(f"{row // CANDIDATES} Q0 {docid} {rank + 1} {20 - rank / 7:.6f} Anserini\n")


def run_lexical_hits(folder: Path, rows: int) -> None:
    """Read and rank them as the search with BM25 does."""
    from utility_annotation.retrieval.bm25 import _read_hits
    from utility_annotation.retrieval.runs import rank

    query_rows, docids, scores = _read_hits(folder / "run.trec")
    queries = [str(number) for number in range(1_000_000, 1_000_000 + rows // CANDIDATES + 1)]
    RUN.write(folder / "run.parquet", rank(queries, query_rows, docids, scores, depth=CANDIDATES))


def make_training(folder: Path, rows: int) -> None:
    """Labels of so many candidates, and their pool."""
    queries, count = _query_ids(rows), rows // CANDIDATES
    docids, zeros = _docids(len(queries)), np.zeros(len(queries))
    LABELS.write(
        folder / "labels.parquet",
        LABELS.table(
            {
                "query_id": queries,
                "docid": docids,
                "label": zeros.astype(np.float32),
                "rank": pa.nulls(len(docids), pa.int32()),
                "source": pa.repeat("utilsel", len(docids)),
            }
        ),
    )
    columns = [
        docids,
        pa.nulls(len(docids), pa.string()),
        pa.repeat("text", len(docids)),
        pa.array(zeros.astype(bool)),
        pa.array(np.tile(np.arange(1, CANDIDATES + 1, dtype=np.int32), count)),
    ]
    candidates = pa.ListArray.from_arrays(
        pa.array(np.arange(0, len(docids) + 1, CANDIDATES), pa.int32()),
        pa.StructArray.from_arrays(columns, fields=list(CANDIDATE)),
        type=POOL.schema.field("candidates").type,
    )
    names = queries.take(pa.array(np.arange(0, len(queries), CANDIDATES)))
    POOL.write(folder / "pool.parquet", POOL.table({"query_id": names, "query": names, "candidates": candidates}))


def run_training(folder: Path, rows: int) -> None:
    """Join labels and pool as a training does before its first step."""
    from utility_annotation.training.data import TrainingData, join

    join(folder / "labels.parquet", [folder / "pool.parquet"], folder / "training.arrow")
    TrainingData(folder / "training.arrow").all_labels()


def main() -> None:
    """Make the rows of one kind, or run what reads them."""
    step, kind, folder, rows = sys.argv[1:]
    globals()[f"{step}_{kind}"](Path(folder), int(rows))


if __name__ == "__main__":
    main()
