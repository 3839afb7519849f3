"""A pool of passages without questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import CORPUS, ORIGINS, POOL
from utility_annotation.pools.sampling import sample_passages
from utility_annotation.settings import PoolSource, Source

WORDS = " ".join(f"word{number}" for number in range(20))
SIZES = {"long.md": 50, "short.md": 2, "other.md": 3}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three documents of 50, 2 and 3 passages, and a passage that is too short."""
    docids = [f"{name}#{number}" for name, number in SIZES.items() for number in range(number)]
    rows = [{"docid": docid, "title": "T", "text": f"{docid} {WORDS}"} for docid in docids]
    rows.append({"docid": "tiny", "title": "T", "text": "See also."})
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows(rows))
    origins = [
        {"docid": docid, "file": docid.split("#")[0], "name": "", "title": "", "headings": [], "page": None}
        for docid in [*docids, "tiny"]
    ]
    ORIGINS.write(tmp_path / "origins.parquet", ORIGINS.rows(origins))
    return tmp_path / "corpus.parquet"


def _sampled(corpus: Path, number: int, *, seed: int = 13, shards: int = 1, documents: bool = True) -> list[str]:
    outputs = [corpus.parent / f"{shard}.parquet" for shard in range(shards)]
    source = PoolSource(format="passages", sample=number, seed=seed)
    sample_passages(source, corpus, corpus.parent / "origins.parquet" if documents else None, outputs)
    return [row["query_id"] for output in outputs for row in POOL.read(output).to_pylist()]


def test_a_long_document_does_not_dominate(corpus: Path) -> None:
    chosen = _sampled(corpus, 9)
    assert {name: sum(docid.startswith(name) for docid in chosen) for name in SIZES} == {
        "long.md": 4,
        "short.md": 2,
        "other.md": 3,
    }


def test_a_larger_sample_contains_a_smaller_one_and_a_seed_decides(corpus: Path) -> None:
    assert set(_sampled(corpus, 5)) < set(_sampled(corpus, 12))
    assert _sampled(corpus, 5) != _sampled(corpus, 5, seed=1)


def test_all_passages_but_the_short_ones_are_all_that_there_are(corpus: Path) -> None:
    assert len(_sampled(corpus, 1000)) == 55
    assert len(_sampled(corpus, 1000, shards=3)) == 55


def test_a_row_has_its_passage_alone(corpus: Path) -> None:
    (docid,) = _sampled(corpus, 1, documents=False)
    (row,) = POOL.read(corpus.parent / "0.parquet").to_pylist()
    assert row == {
        "query_id": docid,
        "query": "",
        "candidates": [{"docid": docid, "title": "T", "text": f"{docid} {WORDS}", "human": False, "rank": 1}],
    }


def test_examples_stand_in_place_of_a_question(corpus: Path) -> None:
    questions = [{"query_id": f"q{number}", "text": f"question\n{number}"} for number in range(9)]
    file = corpus.parent / "questions.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in questions))
    source = PoolSource(format="passages", sample=9, examples=Source(format="jsonl", path=str(file)))
    sample_passages(source, corpus, None, [corpus.parent / "0.parquet"])
    shown = [row["query"].split(" | ") for row in POOL.read(corpus.parent / "0.parquet").to_pylist()]
    assert {len(set(examples)) for examples in shown} == {5}
    assert {example for examples in shown for example in examples} == {f"question {number}" for number in range(9)}


def test_a_corpus_of_short_passages_is_refused(tmp_path: Path) -> None:
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows([{"docid": "a", "title": None, "text": "See also."}]))
    with pytest.raises(InputError, match="no passage has 20 words"):
        _sampled(tmp_path / "corpus.parquet", 3, documents=False)
