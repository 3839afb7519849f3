"""Copies and near-duplicates among the passages that were found for a question."""

from __future__ import annotations

from pathlib import Path

import pool as script
import pytest
from command_line import arguments, write_configuration
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import CORPUS, DUPLICATES, QRELS, QUERIES, RUN
from utility_annotation.pools.duplicates import NEAR, Duplicate, find_duplicates

LONG = [f"word{number}" for number in range(40)]


def find(*texts: str) -> list[Duplicate]:
    return list(find_duplicates((str(number), text) for number, text in enumerate(texts)))


def test_case_punctuation_and_white_space_do_not_tell_passages_apart() -> None:
    assert find("A cat sat.", "another", "a CAT,\nsat") == [Duplicate("2", "0", 1.0, True)]


def test_words_in_another_order_are_no_copy() -> None:
    assert find("a cat sat", "sat a cat") == []


def test_one_word_changed_in_forty_is_near() -> None:
    changed = [*LONG[:20], "other", *LONG[21:]]
    (found,) = find(" ".join(LONG), " ".join(changed))
    # 38 trigrams each, of which the 3 with the changed word differ
    assert found == Duplicate("1", "0", pytest.approx(35 / 41), False)


def test_half_a_passage_is_not_near_the_whole() -> None:
    assert find(" ".join(LONG), " ".join(LONG[:20])) == []


def test_the_nearest_of_several_is_named_and_the_first_of_equals() -> None:
    near = " ".join([*LONG[:-1], "end"])
    assert [found[1] for found in find(" ".join([*LONG[:-2], "x", "y"]), " ".join(LONG), near)] == ["0", "1"]
    assert find("a b c", "d e f", "A b c", "a, b, c") == [
        Duplicate("2", "0", 1.0, True),
        Duplicate("3", "0", 1.0, True),
    ]


@given(st.lists(st.sampled_from(["a b", "A b", "a c", " ".join(LONG), " ".join([*LONG, "end"]), "…", ""]), max_size=9))
def test_a_copy_has_the_words_of_what_it_copies_and_originals_copy_nothing(texts: list[str]) -> None:
    found = find(*texts)
    copies = {duplicate.docid for duplicate in found if duplicate.copy}
    for duplicate in found:
        assert int(duplicate.duplicate_of) < int(duplicate.docid)
        assert duplicate.duplicate_of not in copies
        assert duplicate.similarity == 1 if duplicate.copy else NEAR <= duplicate.similarity < 1
    words = {" ".join(text.casefold().split()).strip("…") for text in texts}
    assert len(texts) - len(copies) == len(words)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    texts = {"d1": "The same.", "d2": "the same", "d3": "Else.", "d4": "else"}
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows([{"docid": d, "text": text} for d, text in texts.items()]))
    QUERIES.write(tmp_path / "queries.parquet", QUERIES.rows([{"query_id": q, "text": q} for q in ("a", "b")]))
    QRELS.write(tmp_path / "qrels.parquet", QRELS.rows([{"query_id": "a", "docid": "d2", "grade": 1}]))
    ranked = [("a", "d1", 1), ("a", "d3", 2), ("b", "d3", 1), ("b", "d2", 2), ("b", "d4", 3)]
    rows = [{"query_id": q, "docid": d, "rank": rank, "score": -float(rank)} for q, d, rank in ranked]
    RUN.write(tmp_path / "results" / "runs" / "bm25" / "bm25" / "test.parquet", RUN.rows(rows))
    return {name: tmp_path / f"{name}.parquet" for name in ("corpus", "queries", "qrels", "output")}


def run_script(files: dict[str, Path], depth: int | None = None) -> None:
    source = {"format": "merged", "testset": "test", "depth": depth, "duplicates": "drop"}
    config = write_configuration(Path("config.yaml"), pools={"merged": {"dataset": "data", "source": source}})
    script.main(arguments("duplicates", config=config, pool="merged", **files))


def test_relevant_passages_are_compared_with_what_was_found(files: dict[str, Path]) -> None:
    run_script(files)
    rows = [tuple(row.values()) for row in DUPLICATES.read(files["output"]).to_pylist()]
    assert rows == [("a", "d2", "d1", 1.0, True), ("b", "d4", "d3", 1.0, True)]


def test_rankings_are_read_down_to_the_depth(files: dict[str, Path]) -> None:
    del files["qrels"]
    run_script(files, depth=2)
    assert DUPLICATES.read(files["output"]).num_rows == 0


def test_a_passage_that_the_corpus_lacks_is_named(files: dict[str, Path]) -> None:
    CORPUS.write(files["corpus"], CORPUS.rows([{"docid": "d1", "text": "x"}]))
    with pytest.raises(InputError, match=r"passage 'd\d' was retrieved, but the corpus lacks it"):
        run_script(files)
    assert not files["output"].exists()
