"""Exact search: equal to one flat search, whatever the shards; ties by docid descending."""

from __future__ import annotations

import logging
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import DOCIDS
from utility_annotation.retrieval import search as search_module
from utility_annotation.retrieval.search import search

FAISS_FOR_GPU = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
needs_faiss_for_gpu = pytest.mark.skipif(not FAISS_FOR_GPU, reason="the installed faiss is not built for a GPU")

SHAPES = [  # depth, cuts of 250 passages into shards; blocks are of 37 passages
    (10, []),
    (10, [100]),
    (36, [30]),
    (37, [37, 74]),
    (100, [1, 77, 200]),
    (1000, [150]),
]


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


def normal_collection() -> tuple[np.ndarray, list[str], np.ndarray]:
    random = np.random.default_rng(0)
    passages = random.normal(size=(250, 24)).astype(np.float16)
    return passages, [f"d{number}" for number in random.permutation(250)], random.normal(size=(12, 24)).astype("f")


def tied_collection() -> tuple[np.ndarray, list[str], np.ndarray]:
    """Scores are small integers, exact in whatever order their terms are added, and equal passages stand together, so
    that within a block more of them tie at the cut than it lets through."""
    random = np.random.default_rng(1)
    passages = np.array(sorted(random.integers(-1, 2, size=(250, 2)).tolist())).astype(np.float16)
    return passages, [f"d{number}" for number in random.permutation(250)], random.integers(-2, 3, (12, 2)).astype("f")


@pytest.mark.parametrize("library", ["torch", "faiss"])
@pytest.mark.parametrize(("depth", "cuts"), SHAPES)
def test_shards_give_what_one_flat_search_gives(tmp_path, depth, cuts, library):
    passages, docids, queries = normal_collection()
    flat = faiss.IndexFlatIP(24)
    flat.add(passages.astype(np.float32))
    scores, rows = flat.search(queries, min(depth, 250))

    found = run(shards(tmp_path, passages, docids, cuts), queries, depth, library=library)

    assert found["docid"].to_pylist() == [docids[row] for row in rows.ravel()]
    np.testing.assert_allclose(found["score"].to_numpy(), scores.ravel(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("depth", "cuts"), SHAPES)
def test_faiss_and_torch_break_heavy_ties_alike(tmp_path, depth, cuts):
    passages, docids, queries = tied_collection()
    paths = shards(tmp_path, passages, docids, cuts)
    by_torch, by_faiss = (run(paths, queries, depth, library=library) for library in ("torch", "faiss"))
    assert len(by_torch) == 12 * min(depth, 250)
    assert by_faiss == by_torch


@pytest.mark.parametrize("library", ["torch", "faiss"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_ties_are_by_docid_descending_also_at_the_last_rank(tmp_path_factory, data, library):
    """Integer vectors make every score exact, so that all ties are real ones."""
    count = data.draw(st.integers(1, 60))
    coordinates = st.lists(st.integers(-1, 1), min_size=2, max_size=2)
    passages = np.array(data.draw(st.lists(coordinates, min_size=count, max_size=count)), dtype=np.float32)
    docids = data.draw(st.lists(st.text("aé1", min_size=1, max_size=4), min_size=count, max_size=count, unique=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=3)))
    depth = data.draw(st.integers(1, 20))
    query = np.array([[2.0, -3.0]], dtype=np.float32)

    paths = shards(tmp_path_factory.mktemp("ties"), passages, docids, cuts)
    found = run(paths, query, depth, library=library)

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


@pytest.mark.process
def test_faiss_is_imported_only_where_it_searches(root):
    program = (
        "import sys, torch; from utility_annotation.retrieval import search as module\n"
        "for library in ('torch', 'auto', 'faiss'):\n"
        "    module._choose_knn(library, torch.device('cpu'), 10); print('faiss' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=root / "workflow" / "scripts", check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False", "True"]


@pytest.mark.skipif(FAISS_FOR_GPU, reason="the installed faiss is built for the GPU")
def test_faiss_asked_for_on_a_gpu_must_be_built_for_it(tmp_path):
    paths = shards(tmp_path, np.zeros((3, 4)), ["a", "b", "c"], [])
    with pytest.raises(InputError, match="install faiss-gpu in place of faiss-cpu"):
        run(paths, np.zeros((1, 4), dtype=np.float32), 2, device=torch.device("cuda"), library="faiss")


GPU_LIBRARIES = ["torch", "auto", pytest.param("faiss", marks=needs_faiss_for_gpu)]


@needs_gpu
@pytest.mark.parametrize("library", GPU_LIBRARIES)
@pytest.mark.parametrize(("depth", "cuts"), SHAPES)
def test_a_gpu_breaks_heavy_ties_as_a_cpu_does(tmp_path, depth, cuts, library):
    passages, docids, queries = tied_collection()
    paths = shards(tmp_path, passages, docids, cuts)
    assert run(paths, queries, depth, device=torch.device("cuda"), library=library) == run(paths, queries, depth)


@needs_gpu
@pytest.mark.parametrize("library", GPU_LIBRARIES)
@pytest.mark.parametrize(("depth", "cuts"), SHAPES)
def test_a_gpu_finds_what_a_cpu_finds(tmp_path, depth, cuts, library):
    passages, docids, queries = normal_collection()
    paths = shards(tmp_path, passages, docids, cuts)
    on_gpu = run(paths, queries, depth, device=torch.device("cuda"), library=library)
    on_cpu = run(paths, queries, depth)
    assert on_gpu["docid"] == on_cpu["docid"]
    np.testing.assert_allclose(on_gpu["score"].to_numpy(), on_cpu["score"].to_numpy(), rtol=1e-5, atol=1e-6)


@needs_gpu
@needs_faiss_for_gpu
def test_what_faiss_cannot_select_on_a_gpu_torch_does_and_says_so(tmp_path, caplog):
    passages, docids, queries = tied_collection()
    paths = shards(tmp_path, passages, docids, [])
    with caplog.at_level(logging.INFO):
        found = run(paths, queries, 2048, device=torch.device("cuda"), library="faiss")
    assert found == run(paths, queries, 2048)
    assert "faiss selects at most 2048 passages on a GPU" in caplog.text
