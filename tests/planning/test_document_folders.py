"""Folders of documents in a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.documents.workers import MEMORY
from utility_annotation.planning import documents, retrieval
from utility_annotation.planning.resources import REQUESTS
from utility_annotation.settings import Configuration


def test_shards_and_tokenizer_have_their_places() -> None:
    assert documents.shards(WHOLE, dataset="written") == [
        "data/written/documents/0000-of-0002.parquet",
        "data/written/documents/0001-of-0002.parquet",
    ]
    assert documents.tokenizer(WHOLE, dataset="written") == "data/models/llm"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"datasets/written/documents/tokenizer": "lm"}, "tokenizer names 'lm', which is not in `models`"),
        (
            {"datasets/written/documents/tokenizer": "bert", "datasets/written/documents/passage_length": 5000},
            "lower the one, or raise backbones.encoder.passage_length",
        ),
        ({"datasets/written/documents/overlap": 33}, "`overlap` must be at most half"),
        ({"datasets/written/documents/passage_length": 31}, "greater than or equal to 32"),
        (
            {"datasets/written/corpus": {"format": "jsonl", "path": "x"}},
            "exactly one of corpus and documents",
        ),
        ({"datasets/written/documents": None}, "exactly one of corpus and documents"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        at_places(changes)


def test_a_shard_is_stale_by_its_own_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own" / "documents"
    folder.mkdir(parents=True)
    for number in range(8):
        (folder / f"{number}.md").write_text(str(number))

    def digests() -> list[str]:
        shards = ("0000-of-0002", "0001-of-0002")
        return [documents.content(WHOLE, dataset="written", shard=shard) for shard in shards]

    before = digests()
    (folder / "0.md").write_text("another text")
    changed = [old != new for old, new in zip(before, digests(), strict=True)]
    assert sorted(changed) == [False, True]


def test_a_folder_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own" / "documents"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("x")
    looked = []
    monkeypatch.setattr(documents.folder, "files", lambda path: looked.append(path) or ["a.md"])
    for shard in ("0000-of-0002", "0001-of-0002"):
        documents.content(WHOLE, dataset="written", shard=shard)
    assert looked == [folder]


def test_a_reader_cannot_take_the_memory_of_its_job() -> None:
    asked = REQUESTS["ingest_documents"].megabytes(0, 1, 0)
    assert asked * 10**6 * 0.6 > MEMORY


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "documents").write_text("x")
    with pytest.raises(InputError, match=r"name its folder in `datasets\.written\.documents\.path`"):
        documents.content(WHOLE, dataset="written", shard="0000-of-0001")


def test_vectors_outlive_a_run_for_untrained_models_and_documents_alone() -> None:
    def kept(training: str, dataset: str, configuration: Configuration = WHOLE) -> str:
        names = {"backbone": "encoder", "training": training, "dataset": dataset, "length": "@99"}
        return retrieval.kept_vectors(configuration, **names)

    assert kept("untrained", "written") == "results/vectors/encoder/written@99"
    assert kept("human", "written") == kept("untrained", "data") == ""
    off = at_places({"performance/encode/keep_vectors": False})
    assert kept("untrained", "written", off) == ""
