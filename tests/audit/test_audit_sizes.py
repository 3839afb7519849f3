"""Sizes: counted where the files are, published where they are not, and never made up."""

from __future__ import annotations

import copy
import gzip
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.audit.rates import NotKnown
from utility_annotation.audit.sizes import UNSURE_SHARE, Sizes, Texts
from utility_annotation.audit.tables import SizeTable
from utility_annotation.audit.tokens import by_pieces, counter, stand_in
from utility_annotation.io.formats.lines import iter_lines
from utility_annotation.io.schemas import CORPUS, POOL, QUERIES, SCORES
from utility_annotation.labels.by_selector import of_shards
from utility_annotation.planning.loading import load
from utility_annotation.pools.divide import divide
from utility_annotation.settings import Configuration, PoolSource

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


CASCADE: dict[str, Any] = {
    "pools": {
        "some": {"dataset": "d", "source": {"format": "pool", "pool": "p", "percent": [0, 12]}},
        "held-out": {"dataset": "d", "source": {"format": "pool", "pool": "p", "percent": [12, 20]}},
        "unsure": {
            "dataset": "d",
            "source": {"format": "pool", "pool": "p", "percent": [20, 100], "unsure": "by-selector"},
        },
    },
    "labels": {
        "some": {"pool": "some", "source": "utilsel", "annotator": "a"},
        "half-of-some": {"pool": "some", "source": "utilsel", "annotator": "a", "queries": {"percent": 50}},
        "held-out": {"pool": "held-out", "source": "utilsel", "annotator": "a"},
        "unsure": {"pool": "unsure", "source": "utilsel", "annotator": "a"},
        "by-selector": {
            "pool": "p",
            "source": "selector",
            "reranker": "cross/small",
            "calibration": "held-out",
            "method": "sigmoid",
        },
        "parts": {"pool": "p", "source": "cascade", "of": ["half-of-some", "held-out"], "queries": {"percent": 50}},
        "all": {"pool": "p", "source": "cascade", "of": ["some", "held-out", "unsure", "by-selector"]},
    },
    "rerankers": {"cross": {"model": "m"}},
    "trainings": {"small": {"labels": "some"}},
}


def cascade(**source: Any) -> Configuration:
    """A configuration with parts of the pool p; the part of which the selector is unsure has these settings too."""
    raw = copy.deepcopy(CONFIGURATION)
    for section, members in copy.deepcopy(CASCADE).items():
        raw[section] = raw.get(section, {}) | members
    raw["pools"]["unsure"]["source"] |= source
    return load(raw)


def published(configuration: Configuration, rows: int = 60) -> Sizes:
    known = [file | {"rows": rows} if file["path"] == "d/rows.jsonl" else file for file in PUBLISHED["files"]]
    return Sizes(configuration, SizeTable.model_validate({"files": known}))


def write_whole(number: int) -> list[Path]:
    """The pool p with so many questions, in two shards."""
    shards = [Path(f"results/pools/p/{shard}.parquet") for shard in ("0000-of-0002", "0001-of-0002")]
    for place, shard in enumerate(shards):
        POOL.write(shard, POOL.rows([question(each) for each in range(place, number, 2)]))
    return shards


@pytest.mark.parametrize("number", [8, 46, 60, 1003])
def test_a_part_has_the_questions_that_it_will_be_given(number: int) -> None:
    configuration = cascade()
    found = published(configuration, number)
    assert [found.pool(name).questions for name in ("some", "held-out")] == [
        max(1, round(0.12 * number)),
        max(1, round(0.2 * number) - round(0.12 * number)),
    ]
    assert found.pool("some").candidates == found.pool("p").candidates
    shards, found = write_whole(number), published(configuration)
    for name in ("some", "held-out"):
        part = Path(f"results/pools/{name}/0000-of-0001.parquet")
        assert found.pool(name).questions == divide(configuration.pools[name].source, shards, [part], None)
    assert found.assumed == []


def test_a_part_that_is_here_counts_by_its_share_of_today() -> None:
    shards = write_whole(50)
    earlier = PoolSource(format="pool", pool="p", percent=(0, 4))
    assert divide(earlier, shards, [Path("results/pools/some/0000-of-0001.parquet")], None) == 2
    assert published(cascade()).pool("some").questions == 6


def test_before_a_selector_has_scored_them_its_unsure_questions_are_an_assumption(root: Path) -> None:
    found = published(cascade())
    assert found.pool("unsure").questions == round(UNSURE_SHARE * 48)
    found.labelled("unsure")
    assert found.assumed == [
        "the selector 'by-selector' is unsure of 30 % of 48 questions, so that pool 'unsure' has 14"
    ]
    for name in ("audit", "cascade"):
        assert f" {100 * UNSURE_SHARE:g} %" in (root / "docs" / f"{name}.md").read_text()


def write_scores(shards: list[Path], score: Callable[[str], float]) -> None:
    """A score per question, the same for each of its candidates."""
    for shard in shards:
        names = POOL.read(shard)["query_id"].to_pylist()
        rows = [{"query_id": name, "docid": str(each), "score": score(name)} for name in names for each in range(3)]
        SCORES.write(Path("results/scores/cross/small/p", shard.name), SCORES.rows(rows))
    fitted = Path("results/calibrations/cross/small/held-out.json")
    fitted.parent.mkdir(parents=True, exist_ok=True)
    fitted.write_text(json.dumps({"methods": {"sigmoid": {"fitted": {}}}}))


def test_unsure_questions_are_counted_once_the_probabilities_are_here() -> None:
    shards, configuration = write_whole(50), cascade()
    write_scores(shards, lambda name: 0.0 if int(name) % 5 == 0 else 4.0)
    found = published(configuration)
    scores, calibration = (
        [Path("results/scores/cross/small/p", shard.name) for shard in shards],
        Path("results/calibrations/cross/small/held-out.json"),
    )
    part = Path("results/pools/unsure/0000-of-0001.parquet")
    source = configuration.pools["unsure"].source
    written = divide(source, shards, [part], of_shards("sigmoid", scores, calibration))
    assert found.pool("unsure").questions == written
    assert 0 < written <= 10, "a fifth of the questions, as far as they are in the share"
    assert found.assumed == []
    assert published(cascade(between=[0.9, 1.0])).pool("unsure").questions == 40 - written


def test_probabilities_that_are_not_those_of_the_pool_count_for_nothing() -> None:
    shards = write_whole(50)
    write_scores(shards, lambda name: 0.0)
    write_whole(60)
    found = published(cascade())
    assert found.pool("unsure").questions == round(UNSURE_SHARE * 48)
    assert len(found.assumed) == 1
    write_scores(shards, lambda name: 0.0)
    shutil.rmtree("results/calibrations")
    assert published(cascade()).pool("unsure").questions == round(UNSURE_SHARE * 48)


def test_a_cascade_labels_no_more_questions_than_its_members() -> None:
    found = published(cascade())
    assert found.labelled("all") == 60
    assert found.labelled("half-of-some") == 3.5
    assert found.labelled("parts") == (3.5 + 5) / 2


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


WRITTEN: dict[str, Any] = {
    "models": {"m": {"hub": "org/m"}},
    "datasets": {
        "d": {
            "documents": {"path": "raw/documents", "tokenizer": "m"},
            "splits": {
                name: {"queries": {"format": "parquet", "path": f"results/questions/made/{name}.parquet"}}
                for name in ("candidates", "train", "held-out")
            },
        }
    },
    "pools": {"passages": {"dataset": "d", "source": {"format": "passages", "sample": 50}}},
    "questions": {"made": {"pool": "passages", "annotator": "a", "styles": ["natural", "keyword"], "held_out": 20}},
    "annotators": {"a": {"model": "m"}},
}


def test_documents_are_bytes_until_their_passages_are_there() -> None:
    Path("raw/documents/deep").mkdir(parents=True)
    Path("raw/documents/deep/a.md").write_text("12345")
    Path("raw/documents/b.txt").write_text("123")
    found = Sizes(load(WRITTEN), SizeTable())
    assert found.documents("d") == 8
    with pytest.raises(NotKnown, match=r"known when data/d/corpus\.parquet is made"):
        found.corpus("d")


def test_written_questions_are_counted_as_if_no_filter_dropped_any() -> None:
    CORPUS.write(Path("data/d/corpus.parquet"), CORPUS.rows([passage(number) for number in range(70)]))
    found = Sizes(load(WRITTEN), SizeTable())
    assert (found.pool("passages").questions, found.pool("passages").candidates) == (50, 1)
    assert [found.questions("d", name).number for name in ("candidates", "train", "held-out")] == [100, 80, 20]
    assert found.assumed == ["no filter drops any of the 100 written questions 'made'; fewer will be annotated"]
