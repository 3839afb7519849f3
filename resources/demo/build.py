"""Write the demo collection in the formats of the outside world, from its source in ``source/*.yaml``.

    python resources/demo/build.py

The written files are kept in the repository, so that the demo starts from what a user would have; a test holds both
equal. A passage's docid is its subject and number. A question's id is SUBJECT-SPLIT, and SUBJECT-SPLIT-2 for the second
question of a subject's split.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
SPLITS = ("train", "dev")
TRAINING_PASSAGES = 9
"""Passages of a subject that are in the row of its training question."""


def render(subjects: list[dict[str, Any]]) -> dict[str, str]:
    """Return the collection's files, by path relative to the demo folder.

    ``useful`` judgements are the authors' own complete reading of each subject; ``human`` ones are the incomplete
    labels a training set has: one passage a question.
    """
    passages = {
        f"{subject['subject']}-{number}": passage
        for subject in subjects
        for number, passage in enumerate(subject["passages"], 1)
    }
    files = {
        "msmarco/collection.tsv": _tsv((docid, passage["text"]) for docid, passage in passages.items()),
        "beir/corpus.jsonl": _jsonl(
            {"_id": docid, "title": passage.get("title", ""), "text": passage["text"]}
            for docid, passage in passages.items()
        ),
    }
    questions = [
        {**question, "subject": subject["subject"], "query_id": query_id}
        for subject in subjects
        for question, query_id in zip(subject["questions"], _query_ids(subject), strict=True)
    ]
    files["beir/queries.jsonl"] = _jsonl({"_id": q["query_id"], "text": q["text"]} for q in questions)
    for split in SPLITS:
        part = [question for question in questions if question["split"] == split]
        human = [(q["query_id"], _docid(q, number)) for q in part for number in q["human"]]
        useful = [(q["query_id"], _docid(q, number)) for q in part for number in q["useful"]]
        files[f"msmarco/queries.{split}.tsv"] = _tsv((q["query_id"], q["text"]) for q in part)
        files[f"trec/qrels.{split}.txt"] = "".join(f"{query_id} 0 {docid} 1\n" for query_id, docid in human)
        files[f"trec/qrels.{split}.useful.txt"] = "".join(f"{query_id} 0 {docid} 1\n" for query_id, docid in useful)
        files[f"beir/qrels/{split}.tsv"] = "query-id\tcorpus-id\tscore\n" + _tsv((*pair, "1") for pair in human)
        files[f"answers/{split}.jsonl"] = _jsonl({"query_id": q["query_id"], "answers": q["answers"]} for q in part)
    files["tevatron/train.jsonl"] = _jsonl(
        _tevatron_row(question, passages) for question in questions if question["split"] == "train"
    )
    return files


def _tevatron_row(question: dict[str, Any], passages: dict[str, dict[str, str]]) -> dict[str, Any]:
    """A training row: the labelled passage, and the others of its subject's first ones as hard negatives."""
    own = [f"{question['subject']}-{number}" for number in range(1, TRAINING_PASSAGES + 1)]
    human = [_docid(question, number) for number in question["human"]]

    def rows(docids: list[str]) -> list[dict[str, str]]:
        return [
            {"docid": docid, "title": passages[docid].get("title", ""), "text": passages[docid]["text"]}
            for docid in docids
        ]

    return {
        "query_id": question["query_id"],
        "query": question["text"],
        "positive_passages": rows(human),
        "negative_passages": rows([docid for docid in own if docid not in human]),
    }


def _query_ids(subject: dict[str, Any]) -> list[str]:
    """The ids of a subject's questions, in their order."""
    splits = [question["split"] for question in subject["questions"]]
    numbers = [splits[: place + 1].count(split) for place, split in enumerate(splits)]
    return [
        f"{subject['subject']}-{split}" + (f"-{number}" if number > 1 else "")
        for split, number in zip(splits, numbers, strict=True)
    ]


def _docid(question: dict[str, Any], number: int) -> str:
    return f"{question['subject']}-{number}"


def _tsv(rows: Any) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def _jsonl(rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def load_source(folder: Path = HERE / "source") -> list[dict[str, Any]]:
    """All subjects, in the order of file names and of each file; texts on one line."""
    subjects = [
        subject for path in sorted(folder.glob("*.yaml")) for subject in yaml.safe_load(path.read_text("utf-8"))
    ]
    for subject in subjects:
        for passage in subject["passages"]:
            passage["text"] = " ".join(passage["text"].split())
    return subjects


def main() -> None:
    """Write every file."""
    for name, text in render(load_source()).items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{text.count(chr(10)):5d} lines  {path.relative_to(HERE)}", file=sys.stderr)


if __name__ == "__main__":
    main()
