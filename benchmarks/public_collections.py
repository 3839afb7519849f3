"""Public collections with human judgements, written as sources of a configuration: each in another format.

They are read where their publishers' files lie, in one folder: cranfield/, vaswani/, scifact-beir/, squad/,
hotpotqa-100/ and msmarco-dl20-pool-beir/.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

Source = dict[str, Any]


class Collection(NamedTuple):
    """Sources of a collection.

    Attributes:
        corpus, questions, qrels: as in a configuration.
        answers: of the questions; None where there are none.
        level: the lowest grade of a positive.
    """

    corpus: Source
    questions: Source
    qrels: Source
    answers: Source | None = None
    level: int = 1


def cranfield(folder: Path, into: Path) -> Collection:
    """JSONL under names of its own; questions are numbered in the file's order, as its judgements number them."""
    with (into / "corpus.jsonl").open("w") as file:
        for number, fields in _smart(folder / "cran.all.1400"):
            text = fields["W"].removeprefix(fields["T"]).strip()  # the abstract repeats the title
            if fields["T"] or text:
                file.write(json.dumps({"id": number, "heading": fields["T"], "abstract": text}) + "\n")
    with (into / "questions.jsonl").open("w") as file:
        for place, (_, fields) in enumerate(_smart(folder / "cran.qry"), 1):
            file.write(json.dumps({"id": str(place), "question": fields["W"]}) + "\n")
    rows = [line.replace("-1", " -1").split()[:3] for line in (folder / "cranqrel").read_text().splitlines()]
    grades = {(query_id, docid): int(int(grade) > 0) for query_id, docid, grade in rows}
    lines = [f"{query_id} 0 {docid} {grade}\n" for (query_id, docid), grade in grades.items()]
    (into / "qrels.txt").write_text("".join(lines))
    return Collection(
        {
            "format": "jsonl",
            "path": str(into / "corpus.jsonl"),
            "columns": {"docid": "id", "title": "heading", "text": "abstract"},
        },
        {
            "format": "jsonl",
            "path": str(into / "questions.jsonl"),
            "columns": {"query_id": "id", "text": "question"},
        },
        {"format": "trec", "path": str(into / "qrels.txt")},
    )


def vaswani(folder: Path, into: Path) -> Collection:
    """TSV: an id and a text."""
    documents = re.findall(r"<DOCNO>(.*?)</DOCNO>(.*?)</DOC>", (folder / "corpus" / "doc-text.trec").read_text(), re.S)
    topics = re.findall(r"<num>(.*?)</num><title>(.*?)</title>", (folder / "query-text.trec").read_text(), re.S)
    for name, rows in (("corpus", documents), ("questions", topics)):
        lines = [f"{identifier.strip()}\t{' '.join(text.split())}\n" for identifier, text in rows]
        (into / f"{name}.tsv").write_text("".join(lines))
    shutil.copyfile(folder / "qrels", into / "qrels.txt")
    return Collection(
        {"format": "msmarco", "path": str(into / "corpus.tsv")},
        {"format": "msmarco", "path": str(into / "questions.tsv")},
        {"format": "trec", "path": str(into / "qrels.txt")},
    )


def scifact(folder: Path, into: Path) -> Collection:
    """The BEIR folder as it is, but for one file with the judgements of both of its splits."""
    shutil.copytree(folder, into / "scifact", copy_function=shutil.copyfile)
    qrels = into / "scifact" / "qrels"
    lines = [(qrels / name).read_text().splitlines() for name in ("train.tsv", "test.tsv")]
    (qrels / "all.tsv").write_text("\n".join([*lines[0], *lines[1][1:]]) + "\n")
    beir = {"format": "beir", "path": str(into / "scifact")}
    return Collection(beir, beir, {"format": "beir", "path": str(qrels / "all.tsv")})


def squad(folder: Path, into: Path) -> Collection:
    """Parquet: paragraphs, questions and the paragraph of each."""
    articles = json.loads((folder / "xquad.en.json").read_text())["data"]
    paragraphs = [(article["title"], paragraph) for article in articles for paragraph in article["paragraphs"]]
    asked = [
        (question["id"], question["question"], str(number), [answer["text"] for answer in question["answers"]])
        for number, (_, paragraph) in enumerate(paragraphs)
        for question in paragraph["qas"]
    ]
    corpus = {
        "docid": [str(number) for number in range(len(paragraphs))],
        "title": [title.replace("_", " ") for title, _ in paragraphs],
        "text": [paragraph["context"] for _, paragraph in paragraphs],
    }
    query_ids, texts, docids, answers = map(list, zip(*asked, strict=True))
    tables = {
        "corpus": corpus,
        "questions": {"query_id": query_ids, "text": texts},
        "qrels": {"query_id": query_ids, "docid": docids, "grade": [1] * len(asked)},
        "answers": {"query_id": query_ids, "answers": answers},
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), into / f"{name}.parquet")
    return Collection(*({"format": "parquet", "path": str(into / f"{name}.parquet")} for name in tables))


def hotpotqa(folder: Path, into: Path) -> Collection:
    """The publisher's file: the supporting paragraphs are positives."""
    source = {"format": "hotpotqa", "path": str(folder / "hotpotqa_train.json")}
    return Collection(source, source, source, source)


def msmarco_dl20(folder: Path, into: Path) -> Collection:
    """The pool that was judged for TREC DL 2020, whose passages of grades 2 and 3 are positives."""
    beir = {"format": "beir", "path": str(folder)}
    return Collection(beir, beir, {"format": "beir", "path": str(folder / "qrels" / "test.tsv")}, level=2)


def _smart(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(number, {field letter: text}) of each item of a file in SMART's format."""
    for item in re.split(r"^\.I ", path.read_text(), flags=re.M)[1:]:
        number, *parts = re.split(r"^\.([A-Z])\s*$", item, flags=re.M)
        fields = dict(zip(parts[::2], (" ".join(part.split()) for part in parts[1::2]), strict=True))
        yield number.strip(), {"T": "", "W": ""} | fields


COLLECTIONS: Mapping[str, tuple[str, Callable[[Path, Path], Collection]]] = {
    "squad": ("squad", squad),
    "hotpotqa": ("hotpotqa-100", hotpotqa),
    "scifact": ("scifact-beir", scifact),
    "msmarco-dl20": ("msmarco-dl20-pool-beir", msmarco_dl20),
    "cranfield": ("cranfield", cranfield),
    "vaswani": ("vaswani", vaswani),
}
"""By name: the publisher's folder, and what writes its sources to another folder."""


def write(name: str, folder: Path, into: Path) -> Collection:
    """Write a collection's sources to a folder, which is emptied first.

    Args:
        name: one of ``COLLECTIONS``.
        folder: holds the publishers' folders.
        into: where the sources are written.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    place, convert = COLLECTIONS[name]
    return convert(folder / place, into)
