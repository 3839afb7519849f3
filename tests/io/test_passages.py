"""Random access to a corpus on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from utility_annotation.io import passages as passage_store
from utility_annotation.io.passages import PassageStore, find_passages
from utility_annotation.io.schemas import CORPUS


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.parquet"
    with CORPUS.writer(path) as writer:  # row groups of unequal size
        for block in (range(10), range(10, 13), range(13, 40)):
            writer.write_rows([{"docid": f"d{n}", "title": f"t{n}" if n % 2 else None, "text": f"x{n}"} for n in block])
    return path


@pytest.mark.parametrize("collide", [False, True])
def test_finds_every_passage(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collide: bool) -> None:
    if collide:
        monkeypatch.setattr(passage_store, "row_hashes", lambda table: np.zeros(table.num_rows, np.uint64))
    with PassageStore(corpus, tmp_path) as store:
        found = store.find([f"d{n}" for n in (39, 0, 12, 13, 0)] + ["absent", ""])
    assert found == {"d39": ("t39", "x39"), "d0": (None, "x0"), "d12": (None, "x12"), "d13": ("t13", "x13")}


def test_one_pass_finds_the_same(corpus: Path, tmp_path: Path) -> None:
    wanted = [f"d{n}" for n in (39, 0, 12, 13, 0)] + ["absent", ""]
    with PassageStore(corpus, tmp_path) as store:
        assert find_passages(corpus, iter(wanted)) == store.find(wanted)
    assert find_passages(corpus, []) == {}


def test_the_copy_is_removed(corpus: Path, tmp_path: Path) -> None:
    with PassageStore(corpus, tmp_path):
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == [corpus]


def test_an_empty_corpus_has_no_passage(tmp_path: Path) -> None:
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows([]))
    with PassageStore(tmp_path / "corpus.parquet", tmp_path) as store:
        assert store.find(["d1"]) == {}
