"""Exact search: equal to one flat search, whatever the shards; ties by docid descending."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.contracts import DOCIDS
from utility_annotation.errors import InputError
from utility_annotation.retrieval import search as search_module
from utility_annotation.retrieval.search import search


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(search_module, "_PASSAGE_BLOCK", 37)
    monkeypatch.setattr(search_module, "_QUERY_BLOCK", 5)


def shards(folder: Path, vectors: np.ndarray, docids: list[str], cuts: list[int]) -> dict[str, list[Path]]:
    bounds = [0, *cuts, len(docids)]
    paths: dict[str, list[Path]] = {"vectors": [], "docids": []}
    for number, (start, stop) in enumerate(pairwise(bounds)):
        np.save(folder / f"{number}.npy", vectors[start:stop].astype(np.float16))
        DOCIDS.write(folder / f"{number}.parquet", DOCIDS.table({"docid": docids[start:stop]}))
        paths["vectors"].append(folder / f"{number}.npy")
        paths["docids"].append(folder / f"{number}.parquet")
    return paths


def run(paths: dict[str, list[Path]], queries: np.ndarray, depth: int, **options: object):
    query_ids = [f"q{row}" for row in range(len(queries))]
    options = {"drop_query_document": False, "device": torch.device("cpu"), **options}
    return search(query_ids, queries, paths["vectors"], paths["docids"], depth=depth, **options)


@pytest.mark.parametrize(("depth", "cuts"), [(10, []), (10, [100]), (100, [1, 77, 200]), (1000, [150])])
def test_shards_give_what_one_flat_search_gives(tmp_path, depth, cuts):
    random = np.random.default_rng(0)
    passages = random.normal(size=(250, 24)).astype(np.float16)
    queries = random.normal(size=(12, 24)).astype(np.float32)
    docids = [f"d{number}" for number in random.permutation(250)]
    flat = faiss.IndexFlatIP(24)
    flat.add(passages.astype(np.float32))
    scores, rows = flat.search(queries, min(depth, 250))

    found = run(shards(tmp_path, passages, docids, cuts), queries, depth)

    assert found["docid"].to_pylist() == [docids[row] for row in rows.ravel()]
    np.testing.assert_allclose(found["score"].to_numpy(), scores.ravel(), rtol=1e-5, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_ties_are_by_docid_descending_also_at_the_last_rank(tmp_path_factory, data):
    """Integer vectors make every score exact, so that all ties are real ones."""
    count = data.draw(st.integers(1, 60))
    coordinates = st.lists(st.integers(-1, 1), min_size=2, max_size=2)
    passages = np.array(data.draw(st.lists(coordinates, min_size=count, max_size=count)), dtype=np.float32)
    docids = data.draw(st.lists(st.text("aé1", min_size=1, max_size=4), min_size=count, max_size=count, unique=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=3)))
    depth = data.draw(st.integers(1, 20))
    query = np.array([[2.0, -3.0]], dtype=np.float32)

    paths = shards(tmp_path_factory.mktemp("ties"), passages, docids, cuts)
    found = run(paths, query, depth)

    best = sorted(zip((passages @ query[0]).tolist(), docids, strict=True), reverse=True)[:depth]
    assert list(zip(found["score"].to_pylist(), found["docid"].to_pylist(), strict=True)) == best


def test_the_querys_own_document_leaves_the_depth_full(tmp_path):
    paths = shards(tmp_path, np.array([[3.0], [2.0], [1.0]]), ["q0", "b", "c"], [])
    found = run(paths, np.ones((1, 1), dtype=np.float32), 2, drop_query_document=True)
    assert found["docid"].to_pylist() == ["b", "c"]


def test_vectors_and_docids_that_do_not_fit_are_an_error(tmp_path):
    paths = shards(tmp_path, np.zeros((3, 4)), ["a", "b", "c"], [])
    np.save(paths["vectors"][0], np.zeros((2, 4), dtype=np.float16))
    with pytest.raises(InputError, match=r"0\.npy.*shape \(2, 4\).*\(3, 4\)"):
        run(paths, np.zeros((1, 4), dtype=np.float32), 2)
