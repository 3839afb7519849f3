"""Hashes of table rows, for look-up, and of ids, for random choice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

_ODD = np.uint64(0x9E3779B97F4A7C15)
_WORD = 8
_BLOCK_ROWS = 1 << 14
"""The arrays of a block this small stay in the processor's cache: four times as fast as all rows at once."""

Hashes = np.ndarray[Any, np.dtype[np.uint64]]


def random_order(ids: Iterable[str], seed: int) -> list[str]:
    """The ids in the order of a 64-bit hash of (seed, id).

    The first n are a random choice that depends only on the seed and the ids. Every larger choice contains it.
    """

    return sorted(ids, key=lambda identifier: (_digest(identifier, seed), identifier))


def random_place(identifier: str, seed: int) -> float:
    """A number in [0, 1) that depends only on the seed and the id, in the order of :func:`random_order`."""
    return (int.from_bytes(_digest(identifier, seed)) >> 11) / 2**53


def _digest(identifier: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\n{identifier}".encode(), digest_size=8).digest()


def row_hashes(table: pa.Table) -> Hashes:
    """One hash per row of a table whose columns are all strings without nulls.

    Unequal rows rarely share a hash, but they can: a caller that finds equal hashes must compare the rows.
    """
    batches = [_batch_hashes(batch) for batch in table.to_batches(_BLOCK_ROWS) if batch.num_rows]
    return np.concatenate([np.empty(0, np.uint64), *batches])


def _batch_hashes(batch: pa.RecordBatch) -> Hashes:
    hashes = np.zeros(batch.num_rows, np.uint64)
    for column in batch.columns:
        _add(hashes, column)
    return hashes


def _add(hashes: Hashes, strings: pa.StringArray) -> None:
    """Mix a column into the hashes: each string's length, then its bytes, eight at a time."""
    if strings.type != pa.string():
        raise TypeError(f"only strings are hashed, not {strings.type}")
    _, offset_buffer, text_buffer = strings.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32, len(strings) + 1, 4 * strings.offset).astype(np.int64)
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    text = np.zeros(offsets[-1] - offsets[0] + _WORD, np.uint8)
    if text_buffer is not None:
        text[:-_WORD] = np.frombuffer(text_buffer, np.uint8)[offsets[0] : offsets[-1]]
    word_at = np.ndarray(len(text) - _WORD + 1, "<u8", text, strides=(1,))  # the eight bytes from each place on
    hashes[:] = _mixed(hashes ^ lengths.astype(np.uint64))
    for done in range(0, int(lengths.max()), _WORD):
        rows = np.flatnonzero(lengths > done) if lengths.min() <= done else slice(None)
        foreign = np.maximum(done + _WORD - lengths[rows], 0)  # bytes of the word that lie beyond the string
        own = word_at[starts[rows] + done] << (8 * foreign).astype(np.uint64)
        hashes[rows] = _mixed(hashes[rows] ^ own)


def _mixed(values: Hashes) -> Hashes:
    """A one-to-one map in which each input bit affects many output bits."""
    values = (values ^ (values >> np.uint64(32))) * _ODD
    return values ^ (values >> np.uint64(29))
