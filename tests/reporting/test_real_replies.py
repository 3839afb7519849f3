"""Real passages and real replies of an LLM in the report: of a bearable size, and none of them of effect."""

from __future__ import annotations

import json
import re
from pathlib import Path

from test_annotations_page import CONFIGURATION, ELEMENTS, Page

from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import ANNOTATION, POOL
from utility_annotation.planning.loading import load
from utility_annotation.reporting.cards import collect
from utility_annotation.reporting.page import render
from utility_annotation.reporting.settings import CardSettings

SHARD = "0000-of-0001.parquet"
JUDGES = [{"stage": "utilsel-truth", "annotator": "llm"}]


def test_fifty_questions_make_a_page_of_less_than_two_megabytes(root: Path, shared_data: Path, tmp_path: Path) -> None:
    lines = [
        line
        for file in sorted((shared_data / "llm-relabel-rlhn").glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    rows = {row["query_id"]: row for row in map(json.loads, lines)}
    pool, annotation = [], []
    for query_id, row in rows.items():
        candidates = [
            {"docid": passage["docid"], "title": passage["title"], "text": passage["text"], "human": human, "rank": 1}
            for passages, human in ((row["positive_passages"], True), (row["negative_passages"], False))
            for passage in passages
        ]
        pool.append({"query_id": query_id, "query": row["query"], "candidates": candidates})
        chosen = {int(number) for number in re.findall(r"Doc \((\d+)\)", row["response"].partition("<verdict>")[2])}
        docids = [passage["docid"] for number, passage in enumerate(row["negative_passages"], 1) if number in chosen]
        said = {"query_id": query_id, "outcome": "ok" if docids else "empty", "docids": docids, "whole_pool": False}
        asked = {"attempts": 1, "prompt_tokens": 3000, "completion_tokens": len(row["response"]) // 4}
        annotation.append(said | asked | {"replies": [row["response"]], "finish_reason": "stop"})
    POOL.write(tmp_path / "pools" / "p" / SHARD, POOL.rows(pool))
    ANNOTATION.write(tmp_path / "annotation" / "p" / "llm" / "utilsel-truth" / SHARD, ANNOTATION.rows(annotation))
    settings = CardSettings.model_validate({"pool": "p", "questions": 50, "seed": 13, "judges": JUDGES})
    write_json(tmp_path / "cards.json", collect(settings, tmp_path, shards=1))
    template = root / "resources" / "report" / "report.html.j2"
    html = render(template, load(CONFIGURATION), samples=[tmp_path / "cards.json"])
    page = Page(html)
    assert sum(attributes.get("class") == "card" for _, attributes in page.elements) == min(50, len(rows))
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert len(html.encode()) < 2_000_000
