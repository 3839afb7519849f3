"""Whether two outputs hold the same: parquet files, folders of them, JSON, gradients (safetensors) or
vectors (npy).

Prints what is different, and nothing where nothing is. Texts and ids must be equal, floats equal up to rounding; runs
and values a query may stand in another order.

    python benchmarks/same.py OURS OTHER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file

ORDERED_BY = (("query_id", "rank"), ("query_id", "metric"))
"""Of runs and of values a query."""
TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
LEAST_COSINE = 0.9999


def difference(ours: Path, other: Path) -> str:
    """What is different between two files or folders."""
    if ours.suffix == ".safetensors":
        return _other_gradients(ours, other)
    if ours.suffix == ".json":
        return "" if ours.read_bytes() == other.read_bytes() else "the files differ"
    if ours.suffix == ".npy":
        return _other_vectors(ours, other)
    if ours.is_dir():
        names = sorted(path.name for path in ours.glob("*.parquet"))
        if names != sorted(path.name for path in other.glob("*.parquet")) or not names:
            return "the folders hold other files"
        return next(filter(None, (difference(ours / name, other / name) for name in names)), "")
    mine, theirs = pq.ParquetFile(ours).read(), pq.ParquetFile(other).read()
    if set(mine.column_names) != set(theirs.column_names):
        return f"columns {mine.column_names} and {theirs.column_names}"
    theirs = theirs.select(mine.column_names).cast(mine.schema)
    if mine.equals(theirs):
        return ""
    if {"docid", "rank", "score"} <= set(mine.column_names):
        return _other_run(mine, theirs)
    order = next((keys for keys in ORDERED_BY if set(keys) <= set(mine.column_names)), None)
    if order is None:
        return f"{ours} and {other} differ"
    mine, theirs = (table.sort_by([(key, "ascending") for key in order]) for table in (mine, theirs))
    return next(filter(None, (_other_column(name, mine[name], theirs[name]) for name in mine.column_names)), "")


def _other_run(mine: pa.Table, theirs: pa.Table) -> str:
    """Runs are the same if at each rank the scores are, and where passages differ only near-ties change places."""
    order = [("query_id", "ascending"), ("rank", "ascending")]
    mine, theirs = mine.sort_by(order), theirs.sort_by(order)
    if not mine["query_id"].equals(theirs["query_id"]):
        return "the runs have other queries"
    if found := _other_column("score", mine["score"], theirs["score"]):
        return found
    columns = ["query_id", "docid", "score"]
    both = mine.select(columns).join(theirs.select(columns), columns[:2], join_type="inner", right_suffix=" of theirs")
    strangers = len(mine) - len(both)
    if strangers > len(mine) / 1e4:
        return f"{strangers} passages are in one run only"
    return _other_column("score", both["score"], both["score of theirs"])


def _other_column(name: str, mine: pa.ChunkedArray, theirs: pa.ChunkedArray) -> str:
    if len(mine) != len(theirs):
        return f"{len(mine)} and {len(theirs)} rows"
    if pa.types.is_floating(mine.type):
        apart = float(np.abs(mine.to_numpy() - theirs.to_numpy()).max())
        return f"column {name} differs by {apart:g}" if apart > TOLERANCE else ""
    return "" if mine.equals(theirs) else f"column {name} differs"


def _other_gradients(ours: Path, other: Path) -> str:
    """The norm of a difference as a share of the gradient's norm.

    A tensor whose gradient is 0 but for rounding (the keys' biases and a listwise score's: softmax is blind to them) is
    measured by the norm of the whole gradient.
    """
    mine, theirs = load_file(ours), load_file(other)
    if mine.keys() != theirs.keys():
        return f"not the same parameters: {sorted(mine.keys() ^ theirs.keys())}"
    whole = np.sqrt(sum(float(np.square(value).sum()) for value in theirs.values()))
    apart = {
        name: float(np.linalg.norm(mine[name] - value) / max(np.linalg.norm(value), 1e-2 * whole))
        for name, value in theirs.items()
    }
    name = max(apart, key=apart.__getitem__)
    return f"the gradient of {name} differs by {apart[name]:g} of its norm" if apart[name] > GRADIENT_TOLERANCE else ""


def _other_vectors(ours: Path, other: Path) -> str:
    mine, theirs = (np.load(path, allow_pickle=False).astype(np.float32) for path in (ours, other))
    if mine.shape != theirs.shape:
        return f"shapes {mine.shape} and {theirs.shape}"
    norms = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
    least = float(((mine * theirs).sum(axis=1) / norms).min())
    return "" if least >= LEAST_COSINE else f"two vectors of one passage have a cosine of {least:g}"


if __name__ == "__main__":
    print(difference(Path(sys.argv[1]), Path(sys.argv[2])))
