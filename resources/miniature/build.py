"""Write the miniature multi-domain collection as BEIR folders, from its source in ``source/*.yaml``.

    python resources/miniature/build.py

A stand-in for BEIR's variety, of our own writing: six small test sets of different kinds. The written files are kept in
the repository, as the workflow starts from what a user would have; a test holds both equal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent


def render(name: str, source: dict[str, Any]) -> dict[str, str]:
    """A set's files, by path relative to this folder.

    A query without a text is the passage of its id. Judgements are grades by docid.
    """
    texts = {passage["id"]: passage["text"] for passage in source["passages"]}
    queries = source["queries"]
    judgements = [(query["id"], docid, grade) for query in queries for docid, grade in query["relevant"].items()]
    files = {
        "corpus.jsonl": _jsonl(
            {"_id": passage["id"], "title": passage["title"], "text": passage["text"]} for passage in source["passages"]
        ),
        "queries.jsonl": _jsonl(
            {"_id": query["id"], "text": query.get("text") or texts[query["id"]]} for query in queries
        ),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\n"
        + "".join(f"{query_id}\t{docid}\t{grade}\n" for query_id, docid, grade in judgements),
    }
    if all("answers" in query for query in queries):
        files["answers.jsonl"] = _jsonl({"query_id": query["id"], "answers": query["answers"]} for query in queries)
    return {f"{name}/{path}": text for path, text in files.items()}


def load_source() -> dict[str, dict[str, Any]]:
    """The sets by name."""
    return {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((HERE / "source").glob("*.yaml"))
    }


def _jsonl(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> int:
    for name, source in load_source().items():
        for path, text in render(name, source).items():
            target = HERE / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
