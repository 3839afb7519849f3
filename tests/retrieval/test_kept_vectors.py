"""Vectors that outlive a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bert import WORDS, save_tiny_bert

from utility_annotation.io.schemas import CORPUS
from utility_annotation.retrieval.encoding import encode_corpus
from utility_annotation.retrieval.kept_vectors import KeptVectors
from utility_annotation.settings import Backbone
from utility_annotation.training.encoder import Encoder

BACKBONE = Backbone(model="tiny", pooling="mean", query_length=16, passage_length=16)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder.load(save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny"), BACKBONE)


@pytest.fixture
def encoded(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the encoder is given, from now on."""
    texts: list[str] = []
    tokenize = encoder.token_ids

    def token_ids(given: Sequence[str], kind: Any) -> Any:
        texts.extend(given)
        return tokenize(given, kind)

    monkeypatch.setattr(encoder, "token_ids", token_ids)
    return texts


def _texts(number: int) -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, size=6)) + f" {place}" for place in range(number)]


def _encode(
    folder: Path, encoder: Encoder, texts: Sequence[str], *, shards: int = 1, version: str = "v", kept: bool = True
) -> np.ndarray:
    rows = [{"docid": f"d{place}", "title": None, "text": text} for place, text in enumerate(texts)]
    CORPUS.write(folder / "corpus.parquet", CORPUS.rows(rows))
    vectors = []
    for number in range(shards):
        shard = f"{number:04d}-of-{shards:04d}"
        files = (folder / f"{shard}.npy", folder / f"{shard}.docids.parquet")
        outlive = KeptVectors(folder / "kept", version) if kept else None
        encode_corpus(encoder, folder / "corpus.parquet", shard, *files, batch_tokens=0, kept=outlive)
        vectors.append(np.load(files[0]))
        files[0].unlink()  # as a run does when its searches are done
    return np.concatenate(vectors)


def test_only_new_passages_are_encoded_and_all_vectors_are_there(
    tmp_path: Path, encoder: Encoder, encoded: list[str]
) -> None:
    texts = _texts(20)
    _encode(tmp_path, encoder, texts)
    encoded.clear()
    changed = ["red stone", *texts[:7], "blue river", *texts[8:]]
    vectors = _encode(tmp_path, encoder, changed)
    assert encoded == ["red stone", "blue river"]
    np.testing.assert_allclose(vectors, _encode(tmp_path, encoder, changed, kept=False), atol=2e-3)
    encoded.clear()
    _encode(tmp_path, encoder, changed)
    assert not encoded


def test_another_number_of_shards_finds_them_too(tmp_path: Path, encoder: Encoder, encoded: list[str]) -> None:
    texts = _texts(20)
    before = _encode(tmp_path, encoder, texts, shards=3)
    encoded.clear()
    np.testing.assert_array_equal(_encode(tmp_path, encoder, texts, shards=2), before)
    assert not encoded


def test_vectors_of_another_version_are_not_used_and_go(tmp_path: Path, encoder: Encoder, encoded: list[str]) -> None:
    texts = _texts(5)
    _encode(tmp_path, encoder, texts)
    encoded.clear()
    _encode(tmp_path, encoder, texts, version="other")
    assert encoded == texts
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_shard_has_one_file_of_vectors_however_often_it_is_made(tmp_path: Path, encoder: Encoder) -> None:
    for number in range(3):
        _encode(tmp_path, encoder, _texts(5 + number))
    assert len(list((tmp_path / "kept").rglob("*.npy"))) == 1


@pytest.mark.parametrize("harm", ["keys", "vectors", "gone", "other length"])
def test_what_is_damaged_is_encoded_again(tmp_path: Path, encoder: Encoder, encoded: list[str], harm: str) -> None:
    texts = _texts(5)
    before = _encode(tmp_path, encoder, texts)
    (keys,), (vectors,) = ((tmp_path / "kept").rglob(ending) for ending in ("*.npz", "*.npy"))
    if harm == "keys":
        keys.write_bytes(keys.read_bytes()[:40])
    elif harm == "vectors":
        vectors.write_bytes(b"no vectors")
    elif harm == "gone":
        vectors.unlink()
    else:
        np.save(vectors, np.zeros((3, encoder.dimension), np.float16))
    encoded.clear()
    np.testing.assert_array_equal(_encode(tmp_path, encoder, texts), before)
    assert encoded == texts


def test_the_same_text_twice_has_one_vector(tmp_path: Path, encoder: Encoder) -> None:
    texts = ["red stone", "blue river", "red stone"]
    _encode(tmp_path, encoder, texts)
    vectors = _encode(tmp_path, encoder, texts)
    np.testing.assert_array_equal(vectors[0], vectors[2])
