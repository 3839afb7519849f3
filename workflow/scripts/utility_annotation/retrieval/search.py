"""Exact search: every query against every passage, block by block, over shards of memory-mapped vectors.

Scores are fp32 dot products of fp32 query vectors with fp16 passage vectors. torch, numpy or faiss computes them; the
choice changes scores only by rounding. A key is a score in its upper half and, in its lower half, the passage's place
in ascending order of docids; so one comparison of integers orders by score and then by docid descending, and the choice
at the last rank is exact.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from ..common.devices import multiplies_faster
from ..common.errors import InputError
from ..common.progress import Progress
from ..io.schemas import DOCIDS
from .runs import rank

_PASSAGE_BLOCK = 16384
_QUERY_BLOCK = 256
_CPU_PASSAGE_BLOCK = 4096
_CPU_QUERY_BLOCK = 1024
"""On a CPU products of many queries are faster, and fewer passages keep the memory small."""
_LOW_BITS = 32
_FAISS_GPU_LIMIT = 2048
"""The most passages per query that faiss selects on a GPU."""

_log = logging.getLogger(__name__)

_Knn: TypeAlias = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]
"""From queries, passages and k to the k largest scores of each query, best first, and the rows of these passages."""
_Product: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], object]
"""Writes the scores of queries and passages, fp32 of shape (queries, passages), into the last."""


def search(
    query_ids: Sequence[str],
    query_vectors: np.ndarray,
    vectors: Sequence[Path],
    docids: Sequence[Path],
    *,
    depth: int,
    drop_query_document: bool,
    device: torch.device,
    library: Literal["auto", "torch", "faiss"] = "auto",
) -> pa.Table:
    """Search all shards; a table of schema ``RUN``. The result does not depend on how the corpus is cut.

    Args:
        query_ids: the id of each query.
        query_vectors: fp32 of shape (queries, dimension).
        vectors: one ``.npy`` per shard, fp16 of shape (passages, dimension).
        docids: one file of schema ``DOCIDS`` per shard, in the same order.
        depth: passages retrieved per query.
        drop_query_document: whether the passage whose docid is the query's own id is left out.
        device: where scores are computed.
        library: what computes them; ``auto`` is faiss on a GPU that the installed faiss supports, else torch; on a
            CPU the one of torch and numpy that multiplies faster there.

    Raises:
        InputError: a shard's vectors do not fit its docids or the queries' dimension; or faiss is set for a GPU that
            it does not support.
    """
    opened = [_open(path, ids, query_vectors.shape[1]) for path, ids in zip(vectors, docids, strict=True)]
    all_docids = pa.concat_arrays([shard_docids for _, shard_docids in opened])
    blocks = (block for path, (matrix, _) in zip(vectors, opened, strict=True) for block in _blocks(path, matrix))
    ascending = pc.sort_indices(all_docids)
    places = np.empty(len(all_docids), dtype=np.int64)
    places[ascending.to_numpy()] = np.arange(len(all_docids))

    candidates = depth + drop_query_document
    knn = _choose_knn(library, device, candidates)
    name = "torch" if knn is _torch_knn else "faiss"
    if knn is _torch_knn and device.type == "cpu":
        name = multiplies_faster() if library == "auto" else "torch"
        keys = _best_keys_on_cpu(query_vectors, blocks, places, candidates, _PRODUCTS[name])
    else:
        keys = _best_keys(query_vectors, blocks, places, candidates, device, knn).numpy()
    _log.info("%s on %s scored the passages", name, device.type)
    keys = np.sort(keys, axis=1)[:, ::-1]  # what is in order is ranked sooner
    found = ascending.take(pa.array((keys & (2**_LOW_BITS - 1)).ravel()))
    return rank(
        query_ids,
        np.repeat(np.arange(len(query_ids)), keys.shape[1]),
        all_docids.take(found),
        _scores(keys).ravel(),
        depth=depth,
        drop_query_document=drop_query_document,
    )


def _open(vectors: Path, docids: Path, dimension: int) -> tuple[np.memmap, pa.Array]:
    matrix = np.load(vectors, mmap_mode="r", allow_pickle=False)
    ids = DOCIDS.read(docids)["docid"].combine_chunks()
    if matrix.dtype != np.float16 or matrix.shape != (len(ids), dimension):
        raise InputError(
            f"these vectors are {matrix.dtype} of shape {matrix.shape}, not float16 of shape {(len(ids), dimension)}, "
            "which the docids and the queries' model ask for.",
            hint="encode the corpus again, with the model that encodes the queries.",
            path=vectors,
        )
    return matrix, ids


def _blocks(path: Path, matrix: np.memmap) -> Iterator[np.ndarray]:
    """The rows of a file of vectors, read block by block: mapped pages would count as the process's own memory."""
    for start in range(0, len(matrix), _PASSAGE_BLOCK):
        rows = min(_PASSAGE_BLOCK, len(matrix) - start)
        offset = matrix.offset + start * matrix.strides[0]
        block = np.fromfile(path, matrix.dtype, rows * matrix.shape[1], offset=offset)
        yield block.reshape(rows, matrix.shape[1])


def _choose_knn(library: str, device: torch.device, depth: int) -> _Knn:
    """The function that searches a block on ``device``."""
    if library == "torch" or (library == "auto" and device.type == "cpu"):
        return _torch_knn
    import faiss
    import faiss.contrib.torch_utils  # from here on its functions take tensors

    if device.type == "cpu":
        faiss.omp_set_num_threads(torch.get_num_threads())
        return partial(faiss.knn, metric=faiss.METRIC_INNER_PRODUCT)
    if not (hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus()):
        if library == "auto":
            return _torch_knn
        raise InputError(
            "performance.encode.search is faiss, but the installed faiss is not built for the GPU.",
            hint="install faiss-gpu in place of faiss-cpu, or set performance.encode.search to auto or torch.",
        )
    if depth + 1 > _FAISS_GPU_LIMIT:
        _log.info("faiss selects at most %d passages on a GPU, fewer than the depth needs", _FAISS_GPU_LIMIT)
        return _torch_knn
    return partial(faiss.knn_gpu, faiss.StandardGpuResources(), metric=faiss.METRIC_INNER_PRODUCT)


def _torch_knn(queries: torch.Tensor, passages: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    scores, rows = (queries @ passages.T).topk(k, dim=1)
    return scores, rows


def _best_keys(
    queries: np.ndarray,
    blocks: Iterable[np.ndarray],
    places: np.ndarray,
    depth: int,
    device: torch.device,
    knn: _Knn,
) -> torch.Tensor:
    """The ``depth`` largest keys of each query: int64 of shape (queries, depth or number of passages), in no order."""
    torch.set_float32_matmul_precision("highest")  # on a GPU no TF32
    query_blocks = list(torch.from_numpy(queries).to(device).split(_QUERY_BLOCK))
    best = [torch.empty((len(block), 0), dtype=torch.int64, device=device) for block in query_blocks]
    progress = Progress("searching", len(places), "passages")
    row = 0
    for vectors in blocks:
        passages = torch.from_numpy(vectors).to(device).float()
        block_places = torch.from_numpy(places[row : row + len(passages)]).to(device)
        row += len(passages)
        for number, block in enumerate(query_blocks):
            keys = _block_keys(block, passages, block_places, depth, knn)
            best[number] = _largest(torch.cat([best[number], keys], dim=1), depth)
        progress.add(len(passages))
    return torch.cat(best).cpu() if best else torch.empty((0, 0), dtype=torch.int64)


def _block_keys(
    queries: torch.Tensor, passages: torch.Tensor, places: torch.Tensor, depth: int, knn: _Knn
) -> torch.Tensor:
    """The ``depth`` largest keys of each query among these passages, or all if there are fewer."""
    scores, rows = knn(queries, passages, min(depth + 1, len(passages)))
    if len(passages) <= depth:
        return _keys(scores, places[rows])
    # A tie at the cut may extend beyond the returned passages, so break it among all passages.
    tied = scores[:, depth - 1] == scores[:, depth]
    keys = _keys(scores, places[rows])[:, :depth]
    if tied.any():
        keys[tied] = _largest(_keys(queries[tied] @ passages.T, places), depth)
    return keys


def _largest(keys: torch.Tensor, depth: int) -> torch.Tensor:
    return keys.topk(min(depth, keys.shape[1]), dim=1, sorted=False).values


def _keys(scores: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Keys of fp32 ``scores`` of shape (queries, passages), which are overwritten."""
    bits = scores.add_(0.0).view(torch.int32)  # adding 0 makes -0 the 0 that it equals
    bits ^= (bits >> 31) & 0x7FFFFFFF  # floats as integers of the same order
    return (bits.long() << _LOW_BITS) | places


def _product_by_numpy(queries: torch.Tensor, passages: torch.Tensor, scores: torch.Tensor) -> None:
    np.matmul(queries.numpy(), passages.numpy().T, out=scores.numpy())


def _product_by_torch(queries: torch.Tensor, passages: torch.Tensor, scores: torch.Tensor) -> None:
    torch.mm(queries, passages.T, out=scores)


_PRODUCTS: dict[str, _Product] = {"numpy": _product_by_numpy, "torch": _product_by_torch}


def _best_keys_on_cpu(
    queries: np.ndarray, blocks: Iterable[np.ndarray], places: np.ndarray, depth: int, product: _Product
) -> np.ndarray:
    """As ``_best_keys``. What is no better than the keys of earlier blocks is left out by its score alone."""
    torch.set_float32_matmul_precision("highest")
    threads = torch.get_num_threads()
    vectors = torch.empty((_CPU_PASSAGE_BLOCK, queries.shape[1]))
    scores = torch.empty(min(_CPU_QUERY_BLOCK, len(queries)) * _CPU_PASSAGE_BLOCK)
    query_blocks = torch.from_numpy(queries).split(_CPU_QUERY_BLOCK) if len(queries) else ()
    share = -(-min(_CPU_QUERY_BLOCK, max(len(queries), 1)) // threads)
    best = [[np.empty((len(part), 0), np.int64) for part in block.split(share)] for block in query_blocks]
    progress = Progress("searching", len(places), "passages")
    row = 0
    with ThreadPoolExecutor(threads) as pool:
        for halves in (part for block in blocks for part in torch.from_numpy(block).split(_CPU_PASSAGE_BLOCK)):
            passages = vectors[: len(halves)].copy_(halves)
            block_places = places[row : row + len(halves)]
            row += len(halves)
            for number, block in enumerate(query_blocks):
                found = scores[: len(block) * len(passages)].view(len(block), len(passages))
                product(block, passages, found)
                parts = (part.numpy() for part in found.split(share))
                select = partial(_select, places=block_places, depth=depth)
                best[number] = list(pool.map(select, best[number], parts))
            progress.add(len(passages))
    kept = [part for block in best for part in block]
    return np.concatenate(kept) if kept else np.empty((0, 0), np.int64)


def _select(best: np.ndarray, scores: np.ndarray, places: np.ndarray, depth: int) -> np.ndarray:
    """The ``depth`` largest of the keys ``best`` and those of a block's scores, shape (queries, passages)."""
    queries, passages = scores.shape
    if best.shape[1] == depth:
        least = _scores(best.min(axis=1))
    elif passages > depth:
        least = np.partition(scores, passages - depth, axis=1)[:, passages - depth]
    else:
        least = np.full(queries, -np.inf, np.float32)
    enough = scores >= least[:, None]
    counts = np.count_nonzero(enough, axis=1)
    flat = np.flatnonzero(enough)
    bits = (scores.ravel()[flat] + np.float32(0)).view(np.int32)  # adding 0 makes -0 the 0 that it equals
    bits ^= (bits >> 31) & 0x7FFFFFFF  # floats as integers of the same order
    keys = np.full((queries, counts.max(initial=0)), np.iinfo(np.int64).min)
    keys[np.arange(keys.shape[1]) < counts[:, None]] = (bits.astype(np.int64) << _LOW_BITS) | places[flat % passages]
    together = np.concatenate([best, keys], axis=1)
    first = together.shape[1] - min(depth, best.shape[1] + passages)
    return np.partition(together, first, axis=1)[:, first:] if first else together


def _scores(keys: np.ndarray) -> np.ndarray:
    """The fp32 scores inside keys."""
    bits = (keys >> _LOW_BITS).astype(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.float32)
