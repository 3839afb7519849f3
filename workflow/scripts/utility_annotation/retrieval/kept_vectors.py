"""Vectors that outlive a run, so that a corpus that has changed a little is encoded a little."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..common.files import atomic_write

_LOG = logging.getLogger(__name__)
_KEYS = ".keys.npz"


class KeptVectors:
    """Vectors by the text that they are of. The files of a shard are replaced together by those of its next job.

    Every shard has a file of vectors (fp16), which is a second name of the embeddings as long as these are there, and a
    file of keys that names it. A key is a hash of 128 bits. Memory holds 24 bytes per vector.

    Args:
        folder: of the vectors of one dataset and backbone, whatever they depend on.
        version: what the vectors depend on beside the texts. Those of another version are not used, and are deleted
            when new ones are kept.
    """

    def __init__(self, folder: Path, version: str) -> None:
        self._folder = folder / hashlib.blake2b(version.encode(), digest_size=16).hexdigest()
        self._found = [each for path in sorted(self._folder.glob(f"*{_KEYS}")) if (each := _Shard.read(path))]
        self._seen: list[np.ndarray] = []

    def find(self, texts: Sequence[str], dimension: int) -> tuple[np.ndarray, np.ndarray]:
        """The places of those texts whose vectors are here, and these vectors (fp16 of shape (places, dimension))."""
        keys = _keys(texts)
        self._seen.append(keys)
        vectors = np.empty((len(texts), dimension), np.float16)
        known = np.zeros(len(texts), bool)
        for shard in self._found:
            if shard.vectors.shape[1] == dimension:
                places, rows = shard.find(keys)
                vectors[places], known[places] = shard.vectors[rows], True
        return np.flatnonzero(known), vectors[known]

    def keep(self, shard: str, vectors: Path) -> None:
        """Keep the vectors of all texts that were looked for, in the order of the calls.

        Args:
            shard: the name under which a later job replaces them.
            vectors: their ``.npy``.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = self._folder / f"{shard}-{secrets.token_hex(8)}.npy"
        try:
            os.link(vectors, kept)
        except OSError:  # another file system, or one without links
            with atomic_write(kept, vectors.stat().st_size) as temporary:
                shutil.copyfile(vectors, temporary)
        with atomic_write(self._folder / f"{shard}{_KEYS}") as temporary, temporary.open("wb") as stream:
            np.savez(
                stream, keys=np.concatenate([np.empty((0, 2), np.uint64), *self._seen]), vectors=np.array(kept.name)
            )
        for older in self._folder.glob(f"{shard}-*.npy"):
            if older != kept:
                older.unlink(missing_ok=True)
        for other in self._folder.parent.iterdir():
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)


class _Shard:
    """The vectors of a shard, and their keys in order."""

    def __init__(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self._rows = np.argsort(keys[:, 0])
        self._keys = keys[self._rows]

    @classmethod
    def read(cls, path: Path) -> _Shard | None:
        """None if a file is damaged, or was replaced meanwhile: then its texts are encoded again."""
        with suppress(OSError, ValueError, KeyError, zipfile.BadZipFile), np.load(path, allow_pickle=False) as file:
            keys = file["keys"]
            vectors = np.load(path.with_name(str(file["vectors"])), mmap_mode="r", allow_pickle=False)
            if keys.shape == (len(vectors), 2) and keys.dtype == np.uint64 and vectors.dtype == np.float16:
                return cls(keys, vectors)
        _LOG.warning("%s and its vectors do not belong together, and are not used", path)
        return None

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places of those keys that are here, and the rows of their vectors."""
        if not len(self._keys):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        at = np.minimum(np.searchsorted(self._keys[:, 0], keys[:, 0]), len(self._keys) - 1)
        places = np.flatnonzero((self._keys[at] == keys).all(axis=1))
        return places, self._rows[at[places]]


def _keys(texts: Sequence[str]) -> np.ndarray:
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts)
    return np.frombuffer(digests, np.uint64).reshape(-1, 2)
