"""Pools from runs: hard negatives for judged passages, and merged rankings."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pool as script
import pytest
from command_line import arguments, write_configuration
from hypothesis import given
from hypothesis import strategies as st
from trec_runs import read_run

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import trec
from utility_annotation.io.schemas import CORPUS, DUPLICATES, POOL, QRELS, QUERIES, RUN
from utility_annotation.pools.build import build_pool
from utility_annotation.pools.mining import MiningSettings, _interleaved, mine
from utility_annotation.settings import Pool

RETRIEVED = MiningSettings(format="retrieved", depth=None, size=4, relevance_level=1)
MERGED = MiningSettings(format="merged", depth=None, size=4, relevance_level=1)

LACKING = "lacking"
"""A docid that the corpus lacks."""


def _write(
    folder: Path, qrels: list[tuple[str, str, int]], *runs: list[tuple[str, str, int]]
) -> tuple[Path, Path, list[Path]]:
    QUERIES.write(
        folder / "queries.parquet", QUERIES.rows([{"query_id": q, "text": f"text of {q}"} for q in ("a", "b")])
    )
    QRELS.write(
        folder / "qrels.parquet",
        QRELS.table(dict(zip(("query_id", "docid", "grade"), zip(*qrels, strict=True), strict=True))),
    )
    paths = []
    for number, run in enumerate(runs):
        rows = [{"query_id": q, "docid": d, "rank": rank, "score": -float(rank)} for q, d, rank in run]
        paths.append(folder / f"{number}.parquet")
        RUN.write(paths[-1], RUN.rows(rows))
    docids = {docid for rows in (qrels, *runs) for _, docid, _ in rows if docid != LACKING}
    _write_corpus(folder / "corpus.parquet", docids)
    return folder / "queries.parquet", folder / "qrels.parquet", paths


def _write_corpus(path: Path, docids: set[str]) -> None:
    rows = [{"docid": docid, "title": None, "text": f"text of {docid}"} for docid in sorted(docids)]
    CORPUS.write(path, CORPUS.rows(rows))


def _mined(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_negatives_are_the_best_ranked_passages_that_are_not_relevant(tmp_path: Path) -> None:
    queries, qrels, runs = _write(
        tmp_path,
        [("a", "good", 1), ("a", "bad", 0)],
        [("a", "x", 2), ("a", "good", 1), ("a", "bad", 3), ("a", "y", 4)],
        [("a", "y", 1), ("a", "z", 2)],
    )
    assert mine(RETRIEVED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl") == 1
    assert _mined(tmp_path / "rows.jsonl") == [
        {
            "query_id": "a",
            "query_text": "text of a",
            "positive_document_ids": ["good"],
            "negative_document_ids": ["y", "x", "z"],
        }
    ]


def test_a_split_without_a_relevant_passage_is_refused(tmp_path: Path) -> None:
    queries, qrels, runs = _write(tmp_path, [("a", "x", 0)], [("a", "x", 1)])
    with pytest.raises(InputError, match="no question has a relevant passage"):
        mine(RETRIEVED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl")
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_relevant_passage_that_the_corpus_lacks_is_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    judged = [("a", "good", 1), ("a", LACKING, 1), ("b", LACKING, 2)]
    queries, qrels, runs = _write(tmp_path, judged, [("a", "x", 1), ("b", "y", 1)])
    with caplog.at_level(logging.INFO):
        mine(RETRIEVED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl")
    (row,) = _mined(tmp_path / "rows.jsonl")
    assert (row["query_id"], row["positive_document_ids"]) == ("a", ["good"])
    assert "2 judgements of passages that the corpus lacks left out of the pool" in caplog.text
    assert "1 questions without a relevant passage left out" in caplog.text


def test_a_passage_below_the_relevance_level_is_a_negative(tmp_path: Path) -> None:
    """TREC DL's grade 1 is related, not relevant."""
    queries, qrels, runs = _write(tmp_path, [("a", "two", 2), ("a", "one", 1)], [("a", "one", 1), ("a", "x", 2)])
    settings = RETRIEVED.model_copy(update={"relevance_level": 2})
    mine(settings, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl")
    (row,) = _mined(tmp_path / "rows.jsonl")
    assert (row["positive_document_ids"], row["negative_document_ids"]) == (["two"], ["one", "x"])


def test_a_question_that_no_retriever_searched_is_refused(tmp_path: Path) -> None:
    queries, qrels, runs = _write(tmp_path, [("a", "x", 1), ("b", "x", 1)], [("a", "y", 1)])
    with pytest.raises(InputError, match="no retriever has a passage for query 'b'"):
        mine(RETRIEVED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl")
    assert not (tmp_path / "rows.jsonl").exists()


def test_rankings_are_read_down_to_the_depth(tmp_path: Path) -> None:
    ranked = [("a", docid, rank) for rank, docid in enumerate("uvwx", 1)]
    queries, qrels, runs = _write(tmp_path, [("a", "good", 1)], ranked, [("a", "y", 1), ("a", "u", 2), ("a", "z", 3)])
    shallow = RETRIEVED.model_copy(update={"depth": 2, "size": 9})
    mine(shallow, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl")
    assert _mined(tmp_path / "rows.jsonl")[0]["negative_document_ids"] == ["u", "y", "v"]


RANKED = (
    [("a", "x", 1), ("a", "good", 2), ("a", "v", 3)],
    [("a", "y", 1), ("a", "x", 2), ("a", "best", 3), ("b", "w", 1)],
)


def test_a_merged_pool_holds_what_was_retrieved_and_nothing_else(tmp_path: Path) -> None:
    """Of the relevant passages ``unfound`` was not retrieved, and ``best`` lies beyond the size."""
    judged = [("a", "unfound", 1), ("a", "best", 2), ("a", "good", 1), ("a", "y", 0)]
    queries, qrels, runs = _write(tmp_path, judged, *RANKED)
    assert mine(MERGED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl") == 2
    rows = [(row["positive_document_ids"], row["negative_document_ids"]) for row in _mined(tmp_path / "rows.jsonl")]
    assert rows == [(["good"], ["x", "y", "v"]), ([], ["w"])]


def test_a_merged_pool_needs_no_judgements_and_leaves_out_what_no_retriever_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    queries, _, runs = _write(tmp_path, [("a", "x", 1)], *RANKED[:1])
    run = Path("results/runs/bm25/bm25/test.parquet")
    run.parent.mkdir(parents=True)
    runs[0].rename(run)
    source = {"format": "merged", "testset": "test", "depth": 2}
    pools = {"merged": {"dataset": "data", "source": source, "size": 9}}
    config = write_configuration(Path("config.yaml"), pools=pools)
    with caplog.at_level(logging.INFO):
        script.main(
            arguments(
                "negatives",
                config=config,
                pool="merged",
                queries=queries,
                qrels=[],
                corpus="corpus.parquet",
                output="rows.jsonl",
            )
        )
    (row,) = _mined(tmp_path / "rows.jsonl")
    assert (row["positive_document_ids"], row["negative_document_ids"]) == ([], ["x", "good"])
    assert "1 rows; 1 questions without a retrieved passage left out" in caplog.text


def test_runs_without_any_passage_make_no_pool(tmp_path: Path) -> None:
    queries, qrels, runs = _write(tmp_path, [("a", "x", 1)], [])
    with pytest.raises(InputError, match="no retriever has a passage for any question"):
        mine(MERGED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl")
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_pool_of_merged_rankings_keeps_human_flags(tmp_path: Path) -> None:
    queries, qrels, runs = _write(tmp_path, [("a", "good", 1)], *RANKED)
    mine(MERGED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl")
    passages = sorted({docid for run in RANKED for _, docid, _ in run})
    corpus = [{"docid": docid, "title": None, "text": f"text of {docid}"} for docid in passages]
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows(corpus))
    pool = tmp_path / "0000-of-0001.parquet"
    source = {"format": "tevatron-ids", "path": str(tmp_path / "rows.jsonl")}
    build_pool(Pool(dataset="d", source=source, size=4), [pool], tmp_path / "corpus.parquet")
    flags = {
        row["query_id"]: {candidate["docid"]: candidate["human"] for candidate in row["candidates"]}
        for row in POOL.read(pool).to_pylist()
    }
    assert flags == {"a": {"x": False, "y": False, "good": True, "v": False}, "b": {"w": False}}


def test_real_runs_interleaved(shared_data: Path, tmp_path: Path) -> None:
    """TREC DL 2020: the top 20 of BM25 and of TAS-B, against a plain union of the files' lines."""
    folder = shared_data / "runs-dl20"
    names = ("bm25", "d_bert_kd_tasb")
    for name in names:
        RUN.write(tmp_path / f"{name}.parquet", read_run(folder / f"{name}.trec"))
    top: dict[str, set[str]] = {}
    for name in names:
        for line in (folder / f"{name}.trec").read_text().splitlines():
            query_id, _, docid, rank, *_ = line.split()
            if int(rank) <= 20:
                top.setdefault(query_id, set()).add(docid)
    judged = [row._asdict() for row in trec.read_judgements(folder / "qrels.dl20-passage.txt")]
    QRELS.write(tmp_path / "qrels.parquet", QRELS.rows(judged))
    QUERIES.write(tmp_path / "queries.parquet", QUERIES.rows([{"query_id": q, "text": "?"} for q in top]))
    runs = [tmp_path / f"{name}.parquet" for name in names]
    _write_corpus(tmp_path / "corpus.parquet", {row["docid"] for row in judged}.union(*top.values()))
    settings = MiningSettings(format="merged", depth=20, size=40, relevance_level=1)
    mine(
        settings,
        tmp_path / "queries.parquet",
        tmp_path / "qrels.parquet",
        runs,
        tmp_path / "corpus.parquet",
        tmp_path / "rows.jsonl",
    )
    relevant = {(row["query_id"], row["docid"]) for row in judged if row["grade"] >= 1}
    for row in _mined(tmp_path / "rows.jsonl"):
        positives, negatives = set(row["positive_document_ids"]), set(row["negative_document_ids"])
        assert positives | negatives == top[row["query_id"]]
        assert positives == {docid for docid in top[row["query_id"]] if (row["query_id"], docid) in relevant}


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), min_size=1, max_size=4))
def test_interleaving_keeps_every_passage_once_and_each_rankings_first_near_the_top(rankings: list[list[str]]) -> None:
    merged = list(_interleaved(rankings))
    assert sorted(merged) == sorted(set().union(*rankings))
    for ranking in rankings:
        if ranking:
            assert merged.index(ranking[0]) < len(rankings)


def _copies(folder: Path, *pairs: tuple[str, str, str]) -> Path:
    rows = [{"query_id": q, "docid": d, "duplicate_of": of, "similarity": 1.0, "copy": True} for q, d, of in pairs]
    rows.append({"query_id": "a", "docid": "z", "duplicate_of": "y", "similarity": 0.9, "copy": False})
    DUPLICATES.write(folder / "duplicates.parquet", DUPLICATES.rows(rows))
    return folder / "duplicates.parquet"


def test_a_merged_pool_holds_one_of_the_copies_and_goes_on_to_the_next_passage(tmp_path: Path) -> None:
    ranked = [("a", d, rank) for rank, d in enumerate(("v", "w", "x", "y", "z", "u"), 1)]
    queries, _, runs = _write(tmp_path, [("a", "x", 0)], ranked)
    copies = _copies(tmp_path, ("a", "x", "v"), ("b", "y", "w"))
    mine(MERGED, queries, None, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl", copies)
    assert _mined(tmp_path / "rows.jsonl")[0]["negative_document_ids"] == ["v", "w", "y", "z"]


def test_of_copies_the_relevant_one_is_taken_wherever_it_was_found(tmp_path: Path) -> None:
    ranked = [("a", d, rank) for rank, d in enumerate(("v", "w", "x"), 1)]
    queries, qrels, runs = _write(tmp_path, [("a", "x", 1), ("a", "unfound", 1)], ranked)
    copies = _copies(tmp_path, ("a", "x", "w"), ("a", "unfound", "v"))
    mine(MERGED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl", copies)
    (row,) = _mined(tmp_path / "rows.jsonl")
    assert (row["positive_document_ids"], row["negative_document_ids"]) == (["unfound", "x"], [])


def test_a_copy_of_a_positive_is_no_hard_negative(tmp_path: Path) -> None:
    ranked = [("a", d, rank) for rank, d in enumerate(("v", "w", "x"), 1)]
    queries, qrels, runs = _write(tmp_path, [("a", "good", 1), ("a", "same", 1)], ranked)
    copies = _copies(tmp_path, ("a", "good", "v"), ("a", "same", "v"), ("a", "x", "w"))
    mine(RETRIEVED, queries, qrels, runs, tmp_path / "corpus.parquet", tmp_path / "rows.jsonl", copies)
    (row,) = _mined(tmp_path / "rows.jsonl")
    assert (row["positive_document_ids"], row["negative_document_ids"]) == (["good"], ["w"])
