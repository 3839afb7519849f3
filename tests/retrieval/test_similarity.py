"""A retriever as a reranker: its scores are those of sentence-transformers, however they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from tiny_bert import WORDS, save_tiny_bert

from utility_annotation.retrieval import scorers
from utility_annotation.retrieval.reranking import score
from utility_annotation.settings import Backbone
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.similarity import Similarity

BACKBONE = Backbone(model="tiny", query_length=8, passage_length=16, query_prefix="red ", passage_prefix="old ")
QUESTIONS = ["red stone", "music in the garden", "copper"]
PASSAGES = [f"{WORDS[number % 14]} {WORDS[number * 5 % 14]} " * (1 + number % 9) for number in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> Similarity:
    return Similarity.load(folder, BACKBONE)


def scores_of(model: scorers.PairScorer, pairs: list[tuple[str, str]], batch_tokens: int = 0) -> np.ndarray:
    found = np.full(len(pairs), np.nan, np.float32)
    for places, values in score(model, *map(list, zip(*pairs, strict=True)), batch_tokens=batch_tokens):
        found[places] = values
    return found


@settings(max_examples=30)
@given(
    pairs=st.lists(st.tuples(st.sampled_from(QUESTIONS), st.sampled_from(PASSAGES)), min_size=1, max_size=20),
    batch_tokens=st.sampled_from([1, 40, 4000]),
)
def test_a_pair_has_its_score_whatever_it_is_asked_with(
    model: Similarity, pairs: list[tuple[str, str]], batch_tokens: int
) -> None:
    alone = [scores_of(model, [pair])[0] for pair in pairs]
    assert scores_of(model, pairs, batch_tokens) == pytest.approx(alone, abs=1e-5)


def test_the_scores_are_those_of_sentence_transformers(model: Similarity, folder: Path, tmp_path: Path) -> None:
    Encoder.load(folder, BACKBONE).save(tmp_path / "saved")
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    theirs.max_seq_length = BACKBONE.query_length
    queries = theirs.encode(QUESTIONS, prompt_name="query")
    theirs.max_seq_length = BACKBONE.passage_length
    expected = queries @ theirs.encode(PASSAGES, prompt_name="passage").T
    pairs = [(question, passage) for question in QUESTIONS for passage in PASSAGES]
    assert scores_of(model, pairs) == pytest.approx(expected.ravel(), abs=1e-5)


def test_the_class_of_the_settings_decides_what_scores(folder: Path) -> None:
    assert isinstance(scorers.load(folder, BACKBONE), Similarity)
