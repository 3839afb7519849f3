"""A small pool that humans, two annotators and a file judged, with texts that are no friends of a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utility_annotation.common.files import read_json, write_json
from utility_annotation.io.schemas import ANNOTATION, ANSWERS, LABELS, POOL
from utility_annotation.reporting.cards import collect
from utility_annotation.reporting.settings import CardSettings

HOSTILE = (
    '</script><script>document.title="run"</script><img src=x onerror="document.title=1">\u202e\x00\x1b[31m" \'&amp;'
)
LONG = "word " * 2000

QUESTIONS = {
    "q1": ("why does water run?", "abcd", "a"),
    "q2": (HOSTILE, "bcd", "b"),
    "q3": ("Ünïcode \u05e9\u05dc\u05d5\u05dd", "cdab", "c"),
    "q4": ("nothing helps", "abcd", "d"),
}
"""Query id → question, candidates in the pool's order, human positives."""
TEXTS = {"a": "Water runs downhill.", "b": HOSTILE, "c": LONG, "d": "plain\nand broken"}
SELECTED: dict[str, dict[str, Any]] = {
    "q1": {"docids": ["c", "a"], "replies": ["My selection: [3], [1]"]},
    "q2": {"outcome": "unparsable", "replies": [HOSTILE], "attempts": 3},
    "q3": {"docids": ["c"], "replies": [LONG * 3], "cut_words": 77},
    "q4": {"outcome": "empty", "docids": [], "replies": ["none"]},
}
USEFUL: dict[str, dict[str, Any]] = {
    "q1": {"docids": ["c"], "replies": ["My selection: [2]"]},
    "q2": {"docids": ["b"], "replies": ["[1]"], "whole_pool": True},
    "q3": {"outcome": "error", "finish_reason": "HTTP 500 <b>"},
    "q4": {"outcome": "truncated", "replies": ["My sel"], "finish_reason": "length", "whole_pool": True},
}
RANKED = {
    "q1": {"docids": ["c", "a"], "replies": ["[2] > [1]"]},
    "q2": {"docids": ["c", "d", "b"], "replies": ["[2] > [3] > [1]"], "whole_pool": True},
    "q3": {"docids": ["c"], "replies": ["[1]"]},
    "q4": {"docids": ["a", "b", "c", "d"], "named": 2, "replies": ["[1] > [2]"], "whole_pool": True},
}
SCORES = {"q1": "abcd", "q2": "cbd", "q3": "cdab", "q4": "dabc"}
"""REPLUG's candidates, most likely first."""
OWN = {"q1": "a", "q2": "", "q3": "ab"}
"""A label set of others; it lacks q4."""
JUDGES = [
    *({"stage": stage, "annotator": "llm"} for stage in ("relsel", "answer", "utilsel")),
    {"stage": "utilrank", "annotator": "llm", "top_percent": 50},
    {"stage": "replug", "annotator": "small"},
    {"labels": "own"},
]


@dataclass(frozen=True)
class JudgedPool:
    """Folders and files of the pool ``p``."""

    folder: Path
    shards: int = 2
    truth: bool = True

    def collect(self, origins: Path | None = None, **settings: Any) -> tuple[Path, dict[str, Any]]:
        """The file of its cards, and what it holds."""
        truth = self.folder / "truth.parquet"
        asked = {"pool": "p", "questions": 50, "seed": 13, "judges": JUDGES} | settings
        card_settings = CardSettings.model_validate(asked)
        found = collect(card_settings, self.folder, self.shards, truth if self.truth else None, origins)
        write_json(self.folder / "cards.json", found)
        return self.folder / "cards.json", read_json(self.folder / "cards.json")


def write_judged_pool(folder: Path, shards: int = 2) -> JudgedPool:
    """Write all its files; question i goes to shard i mod ``shards``."""
    names = [f"{number:04d}-of-{shards:04d}.parquet" for number in range(shards)]

    def write(place: Path, schema: Any, rows: list[dict[str, Any]]) -> None:
        for number, name in enumerate(names):
            schema.write(place / name, schema.rows(rows[number::shards]))

    pool = [
        {
            "query_id": query_id,
            "query": query,
            "candidates": [
                {"docid": docid, "title": None, "text": TEXTS[docid], "human": docid in human, "rank": place}
                for place, docid in enumerate(docids, 1)
            ],
        }
        for query_id, (query, docids, human) in QUESTIONS.items()
    ]
    write(folder / "pools" / "p", POOL, pool)
    answers = {
        query_id: {"answer": HOSTILE if query_id == "q1" else "It does.", "replies": ["…"]} for query_id in QUESTIONS
    }
    scores = {
        query_id: {"scores": [{"docid": docid, "score": -place - 0.5} for place, docid in enumerate(docids)]}
        for query_id, docids in SCORES.items()
    }
    stages = {"relsel": SELECTED, "answer": answers, "utilsel": USEFUL, "utilrank": RANKED, "replug": scores}
    for stage, rows in stages.items():
        annotator = "small" if stage == "replug" else "llm"
        write(folder / "annotation" / "p" / annotator / stage, ANNOTATION, [_row(*row) for row in rows.items()])
    own = [
        {"query_id": query_id, "docid": docid, "label": float(docid in positives), "rank": None, "source": "file"}
        for query_id, positives in OWN.items()
        for docid in QUESTIONS[query_id][1]
    ]
    LABELS.write(folder / "labels" / "own.parquet", LABELS.rows(own))
    ANSWERS.write(folder / "truth.parquet", ANSWERS.rows([{"query_id": "q1", "answers": [HOSTILE, "gravity"]}]))
    return JudgedPool(folder, shards)


def _row(query_id: str, columns: dict[str, Any]) -> dict[str, Any]:
    row = {"outcome": "ok", "whole_pool": False, "replies": [], "attempts": 1, "finish_reason": "stop"}
    return {"query_id": query_id, "prompt_tokens": 100, "completion_tokens": 10} | row | columns
