"""Candidate pools: each query's human positives and hard negatives, shuffled, in shards of about equal size.

The paper's pool is the published training data of RepLLaMA: the human positives and 30 hard negatives (BM25 and
CoCondenser), 31 passages in all. They are shuffled so that a human positive has no fixed place in the LLM's prompt.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path


def shard_names(shards: int) -> list[str]:
    """The names of ``shards`` shards: ``0000-of-0064``, ``0001-of-0064``, …"""
    return [f"{shard:04d}-of-{shards:04d}" for shard in range(shards)]


def shard_of(query_id: str, shards: int) -> int:
    """The shard of a query: a hash of its id alone, equal on every machine and whatever else the file holds."""
    return int.from_bytes(hashlib.blake2b(query_id.encode(), digest_size=8).digest()) % shards


def choose(positives: Iterable[str], negatives: Iterable[str], size: int) -> tuple[list[str], list[str]]:
    """The docids of a pool of at most ``size``, in published order: (human positives, hard negatives).

    A docid counts once, and as a positive where it is both. All positives are taken, then negatives up to ``size``;
    where positives alone would fill the pool, the last give way to one negative, if there is any.
    """
    human = list(dict.fromkeys(positives))
    known = set(human)
    hard = [docid for docid in dict.fromkeys(negatives) if docid not in known]
    human = human[: size - 1 if hard else size]
    return human, hard[: size - len(human)]


def shuffled(query_id: str, count: int, seed: int) -> list[int]:
    """A random order of ``count`` places that depends on the query's id, the seed and the count alone.

    It sorts by ``random()``, whose sequence Python keeps equal from version to version, unlike ``shuffle``'s.
    """
    draw = random.Random(f"{seed}/{query_id}").random
    return sorted(range(count), key=[draw() for _ in range(count)].__getitem__)


def shard_files(folder: Path, shards: int) -> list[Path]:
    """The parquet files of a folder's shards, in order."""
    return [folder / f"{name}.parquet" for name in shard_names(shards)]
