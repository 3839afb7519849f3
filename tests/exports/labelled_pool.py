"""A small labelled pool as files: titles, ranks, a query without positives, texts that are hard to write down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utility_annotation.io.label_values import IGNORED
from utility_annotation.io.schemas import LABELS, POOL

TEXTS = {
    "a": ("Rivers", "Water runs downhill."),
    "b": (None, "A tab\tand a line\nbreak."),
    "c": ("", 'Ends with a quote "and a \\ backslash'),
    "d": ("Ünïcode", "…and so on →"),
    "e": (None, "plain"),
}
POSITIVES = {"q1": ["c", "a"], "q2": [], "q3": ["e"], "q4": ["b"]}
"""In the order in which they were labelled."""
CANDIDATES = {"q1": "abcd", "q2": "bde", "q3": "cade", "q4": "bace"}
QUERIES = {"q1": "why does\twater run?", "q2": "nothing helps", "q3": "plain?", "q4": "breaks"}
QUALITY: dict[str, Any] = {
    "human_positives": 4,
    "human_ignored": 0,
    "ignored": 0,
    "selection": {"precision": 50.0, "recall": None},
    "agreement": {"kappa": 0.25},
    "annotation": {"outcomes": {"ok": 3, "empty": 1, "error": 0}, "completed": 2},
}


@dataclass(frozen=True)
class Labelled:
    """Files of a labelled pool."""

    labels: Path
    shards: list[Path]
    quality: Path


def write_labelled(
    folder: Path, candidates: dict[str, str], positives: dict[str, list[str]], ignored: Mapping[str, str] | None = None
) -> Labelled:
    """A pool in two shards, its labels and their figures; ``ignored``: by query, the docids that they ignore."""
    doubts = ignored or {}
    rows = []
    for query_id, docids in candidates.items():
        passages = [
            {"docid": docid, "title": TEXTS[docid][0], "text": TEXTS[docid][1], "human": False, "rank": place + 1}
            for place, docid in enumerate(docids)
        ]
        rows.append({"query_id": query_id, "query": QUERIES.get(query_id, "?"), "candidates": passages})
    shards = [folder / "0000-of-0002.parquet", folder / "0001-of-0002.parquet"]
    for number, shard in enumerate(shards):
        POOL.write(shard, POOL.rows(rows[number::2]))
    labels = [
        {
            "query_id": query_id,
            "docid": docid,
            "label": IGNORED if docid in doubts.get(query_id, "") else float(docid in positives[query_id]),
            "rank": positives[query_id].index(docid) + 1 if docid in positives[query_id] else None,
            "source": "test",
        }
        for query_id, docids in candidates.items()
        for docid in docids
    ]
    LABELS.write(folder / "labels.parquet", LABELS.rows(labels))
    number = sum(map(len, doubts.values()))
    (folder / "quality.json").write_text(json.dumps(QUALITY | {"ignored": number, "human_ignored": min(1, number)}))
    return Labelled(folder / "labels.parquet", shards, folder / "quality.json")
