"""Small pools and annotations as files of shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utility_annotation.io.schemas import ANNOTATION, POOL, Schema

Pool = dict[str, list[tuple[str, bool]]]
"""Query id → (docid, human) of its candidates, in the pool's order, which is the source's order reversed."""


def write_pool(folder: Path, pool: Pool, shards: int = 1) -> list[Path]:
    """Pool shards; query i goes to shard i mod ``shards``."""
    rows: list[list[dict[str, Any]]] = [[] for _ in range(shards)]
    for place, (query_id, candidates) in enumerate(pool.items()):
        entries = [
            {"docid": docid, "title": None, "text": docid, "human": human, "rank": len(candidates) - place}
            for place, (docid, human) in enumerate(candidates)
        ]
        rows[place % shards].append({"query_id": query_id, "query": "?", "candidates": entries})
    return _write(folder, POOL, rows)


def write_annotation(folder: Path, annotation: dict[str, dict[str, Any]], shards: int = 1) -> list[Path]:
    """Annotation shards; each value holds the columns that matter to the test."""
    rows: list[list[dict[str, Any]]] = [[] for _ in range(shards)]
    for place, (query_id, columns) in enumerate(annotation.items()):
        row = {"outcome": "ok", "whole_pool": False, "replies": [], "attempts": 1}
        row |= {"prompt_tokens": 100, "completion_tokens": 10}
        rows[place % shards].append({"query_id": query_id} | row | columns)
    return _write(folder, ANNOTATION, rows)


def _write(folder: Path, schema: Schema, rows: Sequence[list[dict[str, Any]]]) -> list[Path]:
    paths = [folder / f"{shard:04d}-of-{len(rows):04d}.parquet" for shard in range(len(rows))]
    for path, shard in zip(paths, rows, strict=True):
        schema.write(path, schema.rows(shard))
    return paths
