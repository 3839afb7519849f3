"""Passages of a corpus by docid; the corpus need not fit into memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .schemas import CORPUS, row_hashes

_BATCH_ROWS = 8192


def find_passages(corpus: Path, docids: Iterable[str]) -> dict[str, tuple[str | None, str]]:
    """(title, text) of each docid, in one pass through the corpus. Unknown docids are absent.

    The passages must fit into memory; else use :class:`PassageStore`.

    Args:
        corpus: a file of schema ``CORPUS``.
        docids: any number; repeated ones count once.
    """
    wanted = pa.array(dict.fromkeys(docids), pa.string())
    found: dict[str, tuple[str | None, str]] = {}
    for batch in CORPUS.batches(corpus, rows=_BATCH_ROWS):
        kept = batch.filter(pc.is_in(batch["docid"], value_set=wanted)).to_pydict()
        found |= zip(kept["docid"], zip(kept["title"], kept["text"], strict=True), strict=True)
    return found


class PassageStore:
    """Random access to a corpus; use it as a context manager.

    The corpus is copied once into an uncompressed, memory-mapped file, so that the operating system caches what is read
    often. The process itself holds 16 bytes per passage: a sorted hash of the docid and its row.

    Args:
        corpus: a file of schema ``CORPUS``.
        folder: holds the copy while the store is open; it needs room for the uncompressed corpus.
    """

    def __init__(self, corpus: Path, folder: Path) -> None:
        self._corpus, self._folder = corpus, folder

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=".corpus-", dir=self._folder))
            copy = Path(folder) / "corpus.arrow"
            hashes = [np.empty(0, np.uint64)]
            with pa.OSFile(str(copy), "wb") as sink, pa.ipc.new_file(sink, CORPUS.schema) as writer:
                for batch in CORPUS.batches(self._corpus, rows=_BATCH_ROWS):
                    writer.write_batch(batch.cast(CORPUS.schema))
                    hashes.append(row_hashes(pa.table({"docid": batch["docid"]})))
            unsorted = np.concatenate(hashes)
            self._rows = np.argsort(unsorted)
            self._hashes = unsorted[self._rows]
            reader = pa.ipc.open_file(stack.enter_context(pa.memory_map(str(copy))))
            self._batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
            self._starts = np.cumsum([0, *(batch.num_rows for batch in self._batches)])
            self._context = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._batches = []
        self._context.close()

    def find(self, docids: Iterable[str]) -> dict[str, tuple[str | None, str]]:
        """(title, text) of each docid. Unknown docids are absent."""
        wanted = list(dict.fromkeys(docids))
        hashes = row_hashes(pa.table({"docid": pa.array(wanted, pa.string())}))
        positions = np.searchsorted(self._hashes, hashes)
        found = {}
        for docid, value, position in zip(wanted, hashes, positions.tolist(), strict=True):
            while position < len(self._hashes) and self._hashes[position] == value:
                row = self._rows[position]
                index = int(np.searchsorted(self._starts, row, side="right")) - 1
                stored, title, text = (
                    column[int(row - self._starts[index])].as_py() for column in self._batches[index]
                )
                if stored == docid:
                    found[docid] = (title, text)
                    break
                position += 1
        return found
