"""Encode text: in batches of similar length, and whole corpora by shard into memory-mappable half precision."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from ..common.errors import InputError
from ..common.files import atomic_write, needing_room, reserve
from ..common.progress import Progress
from ..io.row_groups import batches
from ..io.schemas import CORPUS, DOCIDS, passage_text
from ..training.encoder import Encoder, Kind, length_batches
from .kept_vectors import KeptVectors

_WINDOW = 8192
"""Passages tokenised and sorted by length at a time."""

BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}
"""Default of padded tokens per batch: few on a CPU, so that a layer's input is in the cache."""


def encode_batches(
    encoder: Encoder, ids: Sequence[str], texts: Sequence[str], kind: Kind, *, batch_tokens: int
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Encode texts in batches of similar length, longest first, on the encoder's device.

    The transformer runs in bf16 on a GPU and in fp32 on a CPU, where each of torch's threads takes its own batch.

    Args:
        encoder: the encoder.
        ids: the id of each text, for messages.
        texts: the texts.
        kind: what they are.
        batch_tokens: padded tokens per batch; 0 takes the device's default.

    Yields:
        The positions of a batch's texts, and their vectors: fp32 of shape (batch, dimension).

    Raises:
        InputError: a vector is not finite, or too large for half precision; names the text's id.
    """
    device = next(encoder.parameters()).device
    token_ids = encoder.token_ids(texts, kind)
    batches = length_batches(map(len, token_ids), batch_tokens or BATCH_TOKENS[device.type])

    def encode(rows: list[int]) -> np.ndarray:
        input_ids, attention_mask = encoder.pad([token_ids[row] for row in rows])
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            return encoder(input_ids.to(device), attention_mask.to(device)).cpu().numpy()

    with mapping(device) as each:
        for rows, vectors in zip(batches, each(encode, batches), strict=True):
            unfit = np.flatnonzero(~(np.abs(vectors) <= np.finfo(np.float16).max).all(axis=1))
            if len(unfit):
                raise InputError(
                    f"the vector of {kind} {ids[rows[unfit[0]]]!r} has a component that is NaN, infinite or above "
                    "65504.",
                    hint="check this model's training log: most often its loss diverged, and a lower learning rate or "
                    "fp32 helps.",
                )
            yield rows, vectors


@contextmanager
def mapping(device: torch.device) -> Iterator[Callable[..., Iterable[np.ndarray]]]:
    """``map``, on a CPU with as many threads as torch may use.

    Threads that share each operation wait for one another a hundred times per batch; these threads do not wait.
    """
    if device.type != "cpu":
        yield map
        return
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # the pool's threads changed it for later threads too


def encode_queries(encoder: Encoder, ids: Sequence[str], texts: Sequence[str], *, batch_tokens: int) -> np.ndarray:
    """The vectors of queries, fp32 of shape (queries, dimension)."""
    vectors = np.empty((len(texts), encoder.dimension), dtype=np.float32)
    progress = Progress("encoding", len(texts), "queries", brief=True)
    for rows, batch in encode_batches(encoder, ids, texts, "query", batch_tokens=batch_tokens):
        vectors[rows] = batch
        progress.add(len(rows))
    return vectors


def encode_corpus(
    encoder: Encoder,
    corpus: Path,
    shard: str,
    vectors_path: Path,
    docids_path: Path,
    *,
    batch_tokens: int,
    kept: KeptVectors | None = None,
) -> None:
    """Encode one shard of a corpus, a contiguous slice, in the corpus's order.

    Writes the vectors as an fp16 ``.npy`` of shape (passages, dimension), and their docids (schema ``DOCIDS``).
    Memory holds a window of passages at a time.

    Args:
        encoder: the encoder.
        corpus: file of schema ``CORPUS``.
        shard: such as ``0003-of-0064``.
        vectors_path: file of the vectors.
        docids_path: file of the docids.
        batch_tokens: padded tokens per batch; 0 takes the device's default.
        kept: vectors of earlier jobs, which are taken where there are some; it gets those of this one.

    Raises:
        InputError: as ``encode_batches``; nothing is then written.
    """
    with CORPUS.open(corpus) as file:
        rows = shard_rows(shard, file.metadata.num_rows)
    progress = Progress(f"encoding shard {shard}", len(rows), "passages")
    size = np.dtype(np.float16).itemsize * len(rows) * encoder.dimension
    with atomic_write(vectors_path, size) as temporary, DOCIDS.writer(docids_path) as docids:
        vectors = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.float16, shape=(len(rows), encoder.dimension)
        )
        with needing_room(vectors_path, size):
            reserve(temporary)
        for window in _windows(corpus, rows):
            ids = window["docid"].to_pylist()
            texts = list(map(passage_text, window["title"].to_pylist(), window["text"].to_pylist()))
            rest = np.arange(len(texts))
            if kept is not None:
                known, found = kept.find(texts, encoder.dimension)
                vectors[docids.rows_written + known] = found
                progress.skip(len(known))
                rest = np.setdiff1d(rest, known)
                ids, texts = [ids[place] for place in rest], [texts[place] for place in rest]
            for places, batch in encode_batches(encoder, ids, texts, "passage", batch_tokens=batch_tokens):
                vectors[docids.rows_written + rest[places]] = batch
                progress.add(len(places))
            docids.write(DOCIDS.table({"docid": window["docid"]}))
        vectors.flush()
    if kept is not None:
        kept.keep(shard, vectors_path)


def shard_rows(shard: str, rows: int) -> range:
    """The rows of a shard such as ``0003-of-0064``: contiguous slices of sizes that differ by at most one."""
    match = re.fullmatch(r"(\d+)-of-(\d+)", shard)
    if match is None or not int(match[1]) < int(match[2]):
        raise InputError(f"{shard!r} is no shard name.", hint="give one such as 0003-of-0064, counted from 0000.")
    number, shards = int(match[1]), int(match[2])
    return range(number * rows // shards, (number + 1) * rows // shards)


def _windows(corpus: Path, rows: range) -> Iterator[pa.Table]:
    """The given rows of a corpus, at most ``_WINDOW`` at a time; row groups outside them are not read."""
    with CORPUS.open(corpus) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        ends = np.cumsum(sizes, dtype=np.int64)
        starts = ends - sizes
        groups = np.flatnonzero((ends > rows.start) & (starts < rows.stop))
        row = int(starts[groups[0]]) if len(groups) else 0
        pending = CORPUS.schema.empty_table()
        for batch in batches(file, rows=_WINDOW, groups=groups.tolist()):
            first, last = max(rows.start - row, 0), min(rows.stop - row, batch.num_rows)
            row += batch.num_rows
            wanted = pa.Table.from_batches([batch.slice(first, max(last - first, 0))]).cast(CORPUS.schema)
            pending = pa.concat_tables([pending, wanted])
            while pending.num_rows >= _WINDOW:
                yield pending.slice(0, _WINDOW)
                pending = pending.slice(_WINDOW)
        if pending.num_rows:
            yield pending
