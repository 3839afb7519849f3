"""Sizes: counted where the files are, published where they are not, and never made up."""

from __future__ import annotations

import copy
import gzip
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.audit.rates import NotKnown
from utility_annotation.audit.sizes import Sizes, Texts
from utility_annotation.audit.tables import SizeTable
from utility_annotation.audit.tokens import by_pieces, counter, stand_in
from utility_annotation.io.formats.lines import iter_lines
from utility_annotation.io.schemas import CORPUS, POOL, QUERIES
from utility_annotation.planning.loading import load

CONFIGURATION: dict[str, Any] = {
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
                "all": {"queries": {"format": "beir", "path": "raw/d/queries.jsonl"}},
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
    "files": [
        {"path": "d/corpus.jsonl", "rows": 1000, "words": 50, "source": "its paper"},
        {"path": "d/qrels/train.tsv", "rows": 70, "words": 9, "source": "its paper"},
        {"path": "d/queries.jsonl", "rows": 100, "source": "its paper"},
        {"path": "d/rows.jsonl", "rows": 60, "words": 9, "passage_words": 40, "source": "its paper"},
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
    assert found.corpus("d") == Texts(7, 10)
    assert found.questions("d", "train") == Texts(1, 3)


@pytest.mark.parametrize("opened", [open, gzip.open])
def test_a_file_of_the_users_has_a_text_on_each_line(opened: Any) -> None:
    Path("raw/d").mkdir(parents=True)
    for name, lines in (("corpus", 40), ("queries", 5), ("rows", 6)):
        with opened(f"raw/d/{name}.jsonl", "wt") as file:
            file.writelines("7 bytes" * 10 + "\n" for _ in range(lines))
    found = sizes()
    assert found.corpus("d") == Texts(40, 10)
    assert found.questions("d", "all") == Texts(5, 10)
    assert found.questions("d", "some").number == 2
    pool = found.pool("p")
    assert (pool.questions, pool.candidates, pool.words) == (6, 3, 10)


@pytest.mark.parametrize("form", ["plain", "gzip", "zip"])
def test_of_a_large_file_only_the_first_lines_are_read(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr("utility_annotation.audit.sizes._LINES", 1000)
    generator = random.Random(1)
    lines = "".join(f"{generator.random()} {generator.random()}\n" for _ in range(5000)).encode()
    name = {"plain": "corpus.jsonl", "gzip": "corpus.jsonl.gz", "zip": "all.zip/corpus.jsonl"}[form]
    configuration = copy.deepcopy(CONFIGURATION)
    configuration["datasets"]["d"]["corpus"]["path"] = name
    if form == "zip":
        with zipfile.ZipFile("all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("corpus.jsonl", lines)
    else:
        Path(name).write_bytes(lines if form == "plain" else gzip.compress(lines))
    read = []
    monkeypatch.setattr("utility_annotation.audit.sizes.iter_lines", lambda path: map(seen, iter_lines(path)))

    def seen(line: tuple[int, bytes]) -> tuple[int, bytes]:
        read.append(line)
        return line

    found = Sizes(load(configuration), SizeTable()).corpus("d")
    assert found.number == pytest.approx(5000, rel=0.1)
    assert len(read) == 1000


def test_what_is_not_here_has_its_published_size() -> None:
    found = sizes(PUBLISHED)
    assert found.corpus("d") == Texts(1000, 50)
    assert found.questions("d", "train").number == 70
    assert found.questions("d", "some").number == 2
    pool = found.pool("p")
    assert (pool.questions, pool.candidates, pool.words) == (60, 3, 40)


def test_a_merged_pool_has_at_most_what_its_rankings_give() -> None:
    mined = sizes(PUBLISHED).pool("mined")
    assert (mined.questions, mined.candidates, mined.words) == (70, 4, 50)


@pytest.mark.parametrize("ask", [lambda s: s.corpus("d"), lambda s: s.questions("d", "train"), lambda s: s.pool("p")])
def test_what_nobody_knows_is_said_with_what_to_do(ask) -> None:
    with pytest.raises(NotKnown, match=r"raw/d/.* \(make .*, or give it under `files` of a file for --sizes\)"):
        ask(sizes())


def test_a_pool_that_is_here_is_counted_in_all_its_shards() -> None:
    folder = Path("results/pools/p")
    POOL.write(folder / "0000-of-0002.parquet", POOL.rows([question(1), question(2)]))
    POOL.write(folder / "0001-of-0002.parquet", POOL.rows([question(3, candidates=2)]))
    pool = sizes(PUBLISHED).pool("p")
    assert (pool.questions, pool.candidates, pool.words) == (3, 3, 10)
    assert [len(item.passages) for item in pool.items] == [3, 3]


def test_a_stand_in_has_so_many_words_and_as_many_tokens_as_prose() -> None:
    for words in (20, 56, 200):
        text = stand_in(words)
        assert len(text.split()) == words
        assert by_pieces(text) / words == pytest.approx(1.41, abs=0.05)
    assert counter(Path("nowhere")) is by_pieces


def test_the_models_own_tokenizer_counts_where_it_is_here(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert counter(tmp_path)("a b , unknown") == 4
