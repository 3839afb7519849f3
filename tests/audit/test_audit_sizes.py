"""Sizes: counted where the files are, published where they are not, and never made up."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from utility_annotation.audit.rates import NotKnown
from utility_annotation.audit.sizes import COUNTED, Corpus, Sizes, measured
from utility_annotation.audit.tables import SizeTable
from utility_annotation.audit.tokens import by_pieces, counter, stand_in
from utility_annotation.io.schemas import ANNOTATION, CORPUS, POOL, QUERIES
from utility_annotation.planning.loading import load

CONFIGURATION = {
    "models": {"m": {"hub": "org/m"}},
    "datasets": {
        "d": {
            "corpus": {"format": "beir", "path": "raw/d/corpus.jsonl"},
            "splits": {
                "train": {
                    "queries": {"format": "beir", "path": "raw/d/queries.jsonl"},
                    "qrels": {"format": "beir", "path": "raw/d/qrels/train.tsv"},
                    "judged_only": True,
                },
                "some": {
                    "queries": {"format": "beir", "path": "raw/d/queries.jsonl"},
                    "sample": {"queries": 2},
                },
            },
        }
    },
    "pools": {
        "p": {"dataset": "d", "source": {"path": "raw/d/rows.jsonl"}, "size": 3, "shards": 2},
        "mined": {
            "dataset": "d",
            "source": {"format": "merged", "testset": "t", "retrievers": ["bm25/bm25"], "depth": 4},
            "size": 9,
        },
    },
    "testsets": {"t": {"dataset": "d", "split": "train"}},
    "annotators": {"a": {"model": "m"}},
}
PUBLISHED = {
    "corpora": [{"path": "d/corpus.jsonl", "passages": 1000, "words": 50, "source": "its paper"}],
    "questions": [
        {"path": "d/qrels/train.tsv", "questions": 70, "judgements": 90, "words": 9, "source": "its paper"},
        {"path": "d/queries.jsonl", "questions": 100, "source": "its paper"},
        {"path": "d/rows.jsonl", "questions": 60, "words": 9, "passage_words": 40, "source": "its paper"},
    ],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sizes(published: dict[str, Any] | None = None) -> Sizes:
    return Sizes(load(CONFIGURATION), SizeTable.model_validate(published or {}))


def passage(number: int, words: int = 10) -> dict[str, object]:
    return {"docid": str(number), "title": None, "text": " ".join(["word"] * words)}


def question(number: int, candidates: int = 3) -> dict[str, object]:
    shown = [passage(place) | {"human": place == 0, "rank": place + 1} for place in range(candidates)]
    return {"query_id": str(number), "query": "a question", "candidates": shown}


def test_what_is_here_is_counted() -> None:
    CORPUS.write(Path("data/d/corpus.parquet"), CORPUS.rows([passage(number) for number in range(7)]))
    QUERIES.write(Path("data/d/queries/train.parquet"), QUERIES.rows([{"query_id": "1", "text": "who was it"}]))
    found = sizes(PUBLISHED)
    assert found.corpus("d") == Corpus(7, 10)
    assert (found.questions("d", "train").questions, found.questions("d", "train").words) == (1, 3)
    assert found.origins["corpus d"].source == COUNTED


def test_a_small_source_is_read() -> None:
    raw = Path("raw/d")
    (raw / "qrels").mkdir(parents=True)
    rows = [{"_id": str(number), "title": "a title", "text": "of three words"} for number in range(4)]
    (raw / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (raw / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": str(q), "text": "two words"}) + "\n" for q in range(5))
    )
    (raw / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\n1\t0\t1\n1\t2\t1\n3\t1\t1\n")
    found = sizes()
    assert found.corpus("d") == Corpus(4, 5)
    train = found.questions("d", "train")
    assert (train.questions, train.judgements, train.words) == (2, 3, 2)
    assert found.questions("d", "some").questions == 2


def test_what_is_not_here_has_its_published_size() -> None:
    found = sizes(PUBLISHED)
    assert found.corpus("d") == Corpus(1000, 50)
    assert found.questions("d", "train").questions == 70
    assert found.questions("d", "some").questions == 2
    pool = found.pool("p")
    assert (pool.questions, pool.candidates, pool.words) == (60, 3, 40)
    assert found.origins["pool p"].source == "its paper"


def test_a_merged_pool_has_at_most_what_its_rankings_give() -> None:
    mined = sizes(PUBLISHED).pool("mined")
    assert (mined.questions, mined.candidates, mined.words) == (70, 4, 50)


@pytest.mark.parametrize("opened", [open, gzip.open])
def test_a_large_source_that_nobody_published_is_judged_by_its_first_lines(
    monkeypatch: pytest.MonkeyPatch, opened: Any
) -> None:
    monkeypatch.setattr("utility_annotation.audit.sizes._READ_WHOLE", 1000)
    monkeypatch.setattr("utility_annotation.audit.sizes._SAMPLED_BYTES", 1 << 17)
    draw = Random(1)
    texts = [{"docid": str(number), "title": "", "text": "of some words"} for number in range(5)]
    row = {"query_id": "1", "query": "q", "positive_passages": texts[:1], "negative_passages": texts[1:]}
    Path("raw/d").mkdir(parents=True)
    with opened(Path("raw/d/corpus.jsonl"), "wt") as corpus, opened(Path("raw/d/rows.jsonl"), "wt") as rows:
        for number in range(20_000):
            corpus.write(json.dumps({"_id": f"{number:06d}", "title": "", "text": f"of three {draw.random()}"}) + "\n")
            rows.write(json.dumps(row | {"query_id": str(draw.random())}) + "\n")
    found = sizes()
    assert found.corpus("d").passages == pytest.approx(20_000, rel=0.1)
    assert found.corpus("d").words == 3
    pool = found.pool("p")
    assert pool.questions == pytest.approx(20_000, rel=0.1)
    assert (pool.candidates, pool.words) == (3, 3)
    assert found.origins["pool p"].size.startswith("about ")


@pytest.mark.parametrize("ask", [lambda s: s.corpus("d"), lambda s: s.questions("d", "train"), lambda s: s.pool("p")])
def test_what_nobody_knows_is_said_with_what_to_do(ask) -> None:
    with pytest.raises(NotKnown, match=r"raw/d/.* \(give it under `\w+` of a file for --sizes\)"):
        ask(sizes())


def test_a_pool_that_is_here_is_counted_in_all_its_shards() -> None:
    folder = Path("results/pools/p")
    POOL.write(folder / "0000-of-0002.parquet", POOL.rows([question(1), question(2)]))
    POOL.write(folder / "0001-of-0002.parquet", POOL.rows([question(3, candidates=2)]))
    pool = sizes(PUBLISHED).pool("p")
    assert (pool.questions, pool.candidates, pool.words, pool.longest) == (3, 3, 10, 10)
    assert [len(item.passages) for item in pool.items] == [3, 3]


def test_training_rows_that_are_here_are_shown_as_the_pool_will_show_them() -> None:
    texts = [{"docid": str(number), "title": "t", "text": "of this passage"} for number in range(5)]
    row = {"query_id": "1", "query": "q", "positive_passages": texts[:1], "negative_passages": texts[1:]}
    Path("raw/d").mkdir(parents=True)
    Path("raw/d/rows.jsonl").write_text(json.dumps(row) + "\n")
    pool = sizes().pool("p")
    assert (pool.questions, pool.candidates, pool.words) == (1, 3, 4)


def test_what_an_annotator_did_is_observed() -> None:
    rows = [
        {"query_id": "1", "docids": ["1", "2"], "prompt_tokens": 100, "completion_tokens": 8},
        {"query_id": "2", "docids": None, "prompt_tokens": 300, "completion_tokens": 4},
    ]
    whole = {"outcome": "ok", "whole_pool": False, "replies": [], "attempts": 1}
    file = Path("results/annotation/p/a/relsel/0000-of-0002.parquet")
    ANNOTATION.write(file, ANNOTATION.rows([whole | row for row in rows]))
    found = sizes().observed("p", "a", "relsel")
    assert found is not None
    assert (found.prompt_tokens, found.new_tokens, found.selected) == (200, 6, 2)
    assert sizes().observed("p", "a", "utilsel") is None


@pytest.mark.parametrize(
    ("architecture", "tied", "multiplied"),
    [("BertModel", True, 12), ("LlamaForCausalLM", True, 32), ("LlamaForCausalLM", False, 12)],
)
def test_a_model_that_is_here_is_measured_by_its_headers(
    tmp_path: Path, architecture: str, tied: bool, multiplied: int
) -> None:

    save_file(
        {"embedding": np.zeros((5, 4), np.float32), "layer": np.zeros((4, 3), np.float32)}, tmp_path / "w.safetensors"
    )
    settings = {"hidden_size": 4, "vocab_size": 5, "architectures": [architecture], "tie_word_embeddings": tied}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    found = measured(tmp_path)
    assert found is not None
    assert (found.parameters, found.multiplied, found.dimension) == (32, multiplied, 4)
    assert found.bytes == (tmp_path / "w.safetensors").stat().st_size
    assert measured(tmp_path / "nowhere") is None
    (tmp_path / "config.json").write_text("{}")
    assert measured(tmp_path) is None


def test_a_stand_in_has_so_many_words_and_as_many_tokens_as_prose() -> None:
    for words in (20, 56, 200):
        text = stand_in(words)
        assert len(text.split()) == words
        assert by_pieces(text) / words == pytest.approx(1.41, abs=0.05)
    assert counter(None) is by_pieces


def test_the_models_own_tokenizer_counts_where_it_is_here(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert counter(tmp_path)("a b , unknown") == 4
