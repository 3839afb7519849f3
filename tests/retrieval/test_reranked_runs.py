"""Reranked runs: what is ordered again, what follows, and what is refused."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_bert import WORDS, save_tiny_bert

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import CORPUS, QUERIES, RUN
from utility_annotation.retrieval import reranking
from utility_annotation.retrieval.reranking import rerank
from utility_annotation.settings import Reranker
from utility_annotation.training.cross_encoder import CrossEncoder

PASSAGES = {f"d{number}": f"{WORDS[number % 14]} {WORDS[number * 5 % 14]} " * (1 + number % 4) for number in range(12)}
TITLES = {docid: None if number % 2 else f"ship {number}" for number, docid in enumerate(PASSAGES)}
QUESTIONS = {"a": "red stone", "b": "music in the garden", "c": "copper"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CrossEncoder:
    folder = save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny")
    torch.set_num_threads(1)
    return CrossEncoder.load(folder, Reranker(model="tiny", length=32), seed=1)


def write_run(folder: Path, rankings: dict[str, list[str]]) -> Path:
    rows = [
        {"query_id": query_id, "docid": docid, "rank": rank, "score": 100.0 - rank}
        for query_id, docids in rankings.items()
        for rank, docid in enumerate(docids, 1)
    ]
    RUN.write(folder / "run.parquet", RUN.rows(rows))
    return folder / "run.parquet"


@pytest.fixture
def texts(tmp_path: Path) -> tuple[Path, Path]:
    """Questions and corpus."""
    QUERIES.write(
        tmp_path / "queries.parquet", QUERIES.rows([{"query_id": k, "text": v} for k, v in QUESTIONS.items()])
    )
    rows = [{"docid": docid, "title": TITLES[docid], "text": text} for docid, text in PASSAGES.items()]
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows(rows))
    return tmp_path / "queries.parquet", tmp_path / "corpus.parquet"


def score(model: CrossEncoder, query: str, docid: str) -> float:
    """The score of one pair by itself."""
    title, text = TITLES[docid], PASSAGES[docid]
    with torch.no_grad():
        pair = model.token_ids([QUESTIONS[query]], [f"{title} {text}" if title else text])
        return model(*model.pad(pair)).item()


def rankings(run) -> dict[str, list[tuple[str, float]]]:
    found = defaultdict(list)
    for row in run.to_pylist():
        found[row["query_id"]].append((row["docid"], row["score"]))
        assert row["rank"] == len(found[row["query_id"]])
    return dict(found)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), depth=st.integers(1, 14), pairs=st.sampled_from([1, 7, 1000]))
def test_the_first_are_ordered_by_their_own_scores_and_the_others_follow_in_their_order(
    tmp_path, texts, model, data, depth, pairs
):
    permutation = st.permutations(list(PASSAGES)).flatmap(
        lambda docids: st.integers(1, 12).map(lambda number: docids[:number])
    )
    first = data.draw(st.dictionaries(st.sampled_from("abc"), permutation, min_size=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reranking, "PAIRS", pairs)
        run = rerank(model, write_run(tmp_path, first), *texts, depth=depth, scratch=tmp_path)
    found = rankings(run)
    assert found.keys() == first.keys()
    for query, docids in first.items():
        expected = sorted(docids[:depth], key=lambda docid: (-score(model, query, docid), docid))
        by_score = dict(found[query])
        for (docid, _), other in zip(found[query][:depth], expected, strict=True):
            assert by_score[docid] == pytest.approx(by_score[other], abs=1e-5)
        assert [docid for docid, _ in found[query][depth:]] == docids[depth:]
        for docid in docids[:depth]:
            assert by_score[docid] == pytest.approx(score(model, query, docid), abs=1e-5)
        values = [value for _, value in found[query]]
        assert values == sorted(values, reverse=True)
        assert len(set(values[depth - 1 :])) == len(values[depth - 1 :])


def test_equal_scores_are_ordered_by_docid_descending(tmp_path, texts, model, monkeypatch):
    def constant(model, queries, passages, **_):
        yield list(range(len(queries))), np.zeros(len(queries), np.float32)

    monkeypatch.setattr(reranking, "score", constant)
    run = rerank(model, write_run(tmp_path, {"a": ["d1", "d3", "d2", "d5", "d4"]}), *texts, depth=3, scratch=tmp_path)
    assert [docid for docid, _ in rankings(run)["a"]] == ["d3", "d2", "d1", "d5", "d4"]


def test_nothing_is_left_in_the_scratch_folder(tmp_path, texts, model):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    rerank(model, write_run(tmp_path, {"a": ["d1"]}), *texts, depth=3, scratch=scratch)
    assert not list(scratch.iterdir())


def test_a_passage_that_the_corpus_lacks_is_named(tmp_path, texts, model):
    with pytest.raises(InputError, match="'d99', which the corpus lacks"):
        rerank(model, write_run(tmp_path, {"a": ["d1", "d99"]}), *texts, depth=2, scratch=tmp_path)


def test_a_query_that_the_questions_lack_is_named(tmp_path, texts, model):
    with pytest.raises(InputError, match="query 'z'"):
        rerank(model, write_run(tmp_path, {"z": ["d1"]}), *texts, depth=2, scratch=tmp_path)


def test_a_score_that_is_no_number_is_an_error_that_names_the_pair(tmp_path, texts, model):
    weight = model.model.classifier.bias
    before = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    try:
        with pytest.raises(InputError, match="query 'a' with passage 'd1' is not a number"):
            rerank(model, write_run(tmp_path, {"a": ["d1"]}), *texts, depth=2, scratch=tmp_path)
    finally:
        with torch.no_grad():
            weight.copy_(before)


def test_a_run_without_hits_stays_empty(tmp_path, texts, model):
    run = rerank(model, write_run(tmp_path, {}), *texts, depth=2, scratch=tmp_path)
    assert run.num_rows == 0
    assert run.schema.equals(RUN.schema)
