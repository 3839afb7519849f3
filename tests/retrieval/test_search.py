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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utility_annotation.common import devices
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
@settings(max_examples=30)
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


@pytest.fixture(params=["GenuineIntel", "AuthenticAMD"])
def processor(request, tmp_path, monkeypatch):
    """torch multiplies on the one, numpy on the other; blocks of five queries and seven passages."""
    (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {request.param}\n")
    monkeypatch.setattr(devices, "_PROCESSORS", tmp_path / "cpuinfo")
    monkeypatch.setattr(search_module, "_CPU_QUERY_BLOCK", 5)
    monkeypatch.setattr(search_module, "_CPU_PASSAGE_BLOCK", 7)
    return request.param


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cpu_finds_what_sorting_all_scores_finds(processor, tmp_path_factory, data):
    """Integers make every score exact, whatever multiplies; many passages tie, and few are better than the kept."""
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    count, asked = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 12))
    passages, queries = (random.integers(-2, 3, (rows, 3)).astype("f") for rows in (count, asked))
    depth, cuts = data.draw(st.integers(1, 30)), sorted(data.draw(st.lists(st.integers(0, count), max_size=3)))
    docids = [f"d{number}" for number in random.permutation(count)]
    if data.draw(st.booleans(), label="each passage is at least as good as those before"):
        passages = passages[np.argsort(passages @ queries[0], kind="stable")]

    found = run(shards(tmp_path_factory.mktemp("flat"), passages, docids, cuts), queries, depth)

    best = [
        (f"q{row}", docid, score)
        for row, query in enumerate(queries)
        for score, docid in sorted(
            (
                (sum(int(a) * int(b) for a, b in zip(query, vector, strict=True)), docid)
                for vector, docid in zip(passages, docids, strict=True)
            ),
            reverse=True,
        )[:depth]
    ]
    assert list(zip(*(found[name].to_pylist() for name in ("query_id", "docid", "score")), strict=True)) == best


@pytest.mark.parametrize(("depth", "cuts"), SHAPES)
def test_numpy_and_torch_find_the_same(tmp_path, monkeypatch, depth, cuts):
    passages, docids, queries = normal_collection()
    paths = shards(tmp_path, passages, docids, cuts)
    found = {}
    for name in ("numpy", "torch"):
        monkeypatch.setattr(search_module, "multiplies_faster", lambda name=name: name)
        found[name] = run(paths, queries, depth)
    assert found["numpy"]["docid"] == found["torch"]["docid"]
    scores = [table["score"].to_numpy() for table in found.values()]
    np.testing.assert_allclose(*scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("library", ["auto", "torch"])
def test_the_processor_decides_unless_a_library_is_set(processor, library, tmp_path, caplog):
    paths = shards(tmp_path, np.zeros((3, 4)), ["a", "b", "c"], [])
    with caplog.at_level(logging.INFO):
        run(paths, np.zeros((1, 4), dtype=np.float32), 2, library=library)
    by_numpy = processor == "AuthenticAMD" or not torch.backends.mkl.is_available()
    assert f"{'numpy' if by_numpy and library == 'auto' else 'torch'} on cpu" in caplog.text


def test_zeros_of_both_signs_are_level():
    scores = np.array([[0.0, -0.0, 0.0]], dtype=np.float32)
    keys = search_module._select(np.empty((1, 0), dtype=np.int64), scores, places=np.array([0, 2, 1]), depth=2)
    assert sorted(keys[0].tolist()) == [1, 2]


def test_without_a_query_nothing_is_found(processor, tmp_path):
    paths = shards(tmp_path, np.zeros((3, 4)), ["a", "b", "c"], [])
    assert run(paths, np.zeros((0, 4), dtype=np.float32), 2).num_rows == 0


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
