"""What documents repeat: copies of a whole document, and boilerplate that stands in many."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence

import numpy as np

from .blocks import Block

_DOCUMENTS, _SHARE = 5, 0.05
"""A block that stands in so many documents, and in so large a share of all, is boilerplate."""
_CHARACTERS = 12
"""Letters and digits of a block that can be boilerplate; a shorter one introduces what follows it."""


def document_digest(title: str, blocks: Iterable[Block]) -> bytes:
    """A digest of a document's text; copies have the same, also in another format."""
    whole = hashlib.blake2b("".join(title.split()).encode(), digest_size=16)
    for block in blocks:
        whole.update("".join(block.text.split()).encode())
    return whole.digest()


class Boilerplate:
    """Counts in how many documents each block stands; holds 8 bytes per block of a document."""

    def __init__(self) -> None:
        self._hashes, self._documents = array("Q"), 0
        self._found = np.empty(0, np.uint64)
        self._seen: set[int] = set()

    def add(self, blocks: Sequence[Block]) -> None:
        """A document that is no copy."""
        self._hashes.extend({_hash(block.text) for block in blocks if _is_long(block.text)})
        self._documents += 1

    def close(self) -> None:
        """All documents were added."""
        least = max(_DOCUMENTS, _SHARE * self._documents)
        found, counts = np.unique(np.frombuffer(self._hashes, np.uint64), return_counts=True)
        self._found, self._hashes = found[counts >= least], array("Q")

    def without(self, blocks: Sequence[Block]) -> tuple[list[Block], list[str]]:
        """A document's blocks, and the texts of those that were left out.

        Boilerplate stays where it stands first, in the order of the calls, so that nothing is lost.
        """
        hashes = np.array([_hash(block.text) for block in blocks], np.uint64)
        repeated = set(np.flatnonzero(np.isin(hashes, self._found)).tolist()) if len(self._found) else set()
        left_out = {place for place in repeated if int(hashes[place]) in self._seen}
        self._seen.update(int(hashes[place]) for place in repeated)
        kept = [block for place, block in enumerate(blocks) if place not in left_out]
        return kept, [blocks[place].text for place in sorted(left_out)]


def _is_long(text: str) -> bool:
    return sum(map(str.isalnum, text)) >= _CHARACTERS


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(" ".join(text.split()).encode(), digest_size=8).digest(), "big")
