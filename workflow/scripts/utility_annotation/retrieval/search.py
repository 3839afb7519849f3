"""Exact search: every query against every passage, block by block, over shards of memory-mapped vectors.

Scores are fp32 dot products of fp32 query vectors with fp16 passage vectors. torch does it on a CPU and on a GPU alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from ..contracts import DOCIDS
from ..errors import InputError
from ..progress import Progress
from .runs import rank

_PASSAGE_BLOCK = 32768
_QUERY_BLOCK = 64
_LOW_BITS = 32


def search(
    query_ids: Sequence[str],
    query_vectors: np.ndarray,
    vectors: Sequence[Path],
    docids: Sequence[Path],
    *,
    depth: int,
    drop_query_document: bool,
    device: torch.device,
) -> pa.Table:
    """Search all shards; a table of contract ``RUN``. The result does not depend on how the corpus is cut.

    Args:
        query_ids: the id of each query.
        query_vectors: fp32 of shape (queries, dimension).
        vectors: one ``.npy`` a shard, fp16 of shape (passages, dimension).
        docids: one file of contract ``DOCIDS`` a shard, in the same order.
        depth: passages retrieved a query.
        drop_query_document: whether the passage whose docid is the query's own id is left out.
        device: where scores are computed.

    Raises:
        InputError: a shard's vectors and docids do not fit together, or not to the queries' dimension.
    """
    shards = [_open(path, ids, query_vectors.shape[1]) for path, ids in zip(vectors, docids, strict=True)]
    all_docids = pa.concat_arrays([shard_docids for _, shard_docids in shards])
    ascending = pc.sort_indices(all_docids)
    places = np.empty(len(all_docids), dtype=np.int64)
    places[ascending.to_numpy()] = np.arange(len(all_docids))

    keys = _best_keys(
        query_vectors, [matrix for matrix, _ in shards], places, depth + drop_query_document, device
    ).numpy()
    found = ascending.take(pa.array((keys & (2**_LOW_BITS - 1)).ravel()))
    return rank(
        query_ids,
        np.repeat(np.arange(len(query_ids)), keys.shape[1]),
        all_docids.take(found),
        _scores(keys).ravel(),
        depth=depth,
        drop_query_document=drop_query_document,
    )


def _open(vectors: Path, docids: Path, dimension: int) -> tuple[np.ndarray, pa.Array]:
    matrix = np.load(vectors, mmap_mode="r", allow_pickle=False)
    ids = DOCIDS.read(docids)["docid"].combine_chunks()
    if matrix.dtype != np.float16 or matrix.shape != (len(ids), dimension):
        raise InputError(
            f"these vectors are {matrix.dtype} of shape {matrix.shape}, not float16 of shape {(len(ids), dimension)}, "
            "which the docids and the queries' model ask for.",
            mend="encode the corpus again, with the model that encodes the queries.",
            path=vectors,
        )
    return matrix, ids


def _best_keys(
    queries: np.ndarray, shards: Sequence[np.ndarray], places: np.ndarray, depth: int, device: torch.device
) -> torch.Tensor:
    """The ``depth`` largest keys of each query: int64 of shape (queries, depth or number of passages), in no order.

    A key is the score in its upper half and, in its lower half, the passage's place in ascending order of docids; so
    one comparison of integers orders by score and then by docid descending, and the choice at the last rank is exact.
    """
    torch.set_float32_matmul_precision("highest")  # on a GPU no TF32
    query_blocks = list(torch.from_numpy(queries).to(device).split(_QUERY_BLOCK))
    best = [torch.empty((len(block), 0), dtype=torch.int64, device=device) for block in query_blocks]
    progress = Progress("searching", len(places), "passages")
    row = 0
    for shard in shards:
        for start in range(0, len(shard), _PASSAGE_BLOCK):
            passages = torch.from_numpy(np.array(shard[start : start + _PASSAGE_BLOCK])).to(device).float()
            block_places = torch.from_numpy(places[row : row + len(passages)]).to(device)
            row += len(passages)
            for number, block in enumerate(query_blocks):
                keys = _largest(_keys(block @ passages.T, block_places), depth)
                best[number] = _largest(torch.cat([best[number], keys], dim=1), depth)
            progress.add(len(passages))
    return torch.cat(best).cpu() if best else torch.empty((0, 0), dtype=torch.int64)


def _largest(keys: torch.Tensor, depth: int) -> torch.Tensor:
    return keys.topk(min(depth, keys.shape[1]), dim=1, sorted=False).values


def _keys(scores: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Keys of fp32 ``scores`` of shape (queries, passages), which are overwritten."""
    bits = scores.add_(0.0).view(torch.int32)  # adding 0 makes -0 the 0 that it equals
    bits ^= (bits >> 31) & 0x7FFFFFFF  # floats as integers of the same order
    return (bits.long() << _LOW_BITS) | places


def _scores(keys: np.ndarray) -> np.ndarray:
    """The fp32 scores inside keys."""
    bits = (keys >> _LOW_BITS).astype(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.float32)
