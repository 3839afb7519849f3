"""Retrieval metrics: figures that others computed, and trec_eval's C code on runs of all kinds."""

from __future__ import annotations

import json
from pathlib import Path

import evaluate as evaluate_script
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import pytrec_eval
from command_line import arguments, write_configuration
from hypothesis import given, settings
from hypothesis import strategies as st
from trec_runs import read_run

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.io.formats import msmarco, trec
from utility_annotation.io.ingest import ingest_qrels, ingest_queries
from utility_annotation.io.schemas import CORPUS, PER_QUERY, QRELS, RUN, TRAINING_COPIES
from utility_annotation.retrieval.runs import rank
from utility_annotation.settings import Split

TREC_EVAL_NAMES = {
    "mrr": "recip_rank",
    "map": "map",
    "map@3": "map_cut_3",
    "ndcg": "ndcg",
    "ndcg@3": "ndcg_cut_3",
    "recall@3": "recall_3",
    "precision@3": "P_3",
    "success@3": "success_3",
    "rprec": "Rprec",
    "bpref": "bpref",
    "infap": "infAP",
}


def qrels_table(qrels: dict[str, dict[str, int]]) -> pa.Table:
    rows = [(query_id, docid, grade) for query_id, grades in qrels.items() for docid, grade in grades.items()]
    return QRELS.rows([dict(zip(("query_id", "docid", "grade"), row, strict=True)) for row in rows])


def run_table(run: dict[str, dict[str, float]]) -> pa.Table:
    hits = [(row, docid, score) for row, scores in enumerate(run.values()) for docid, score in scores.items()]
    rows, docids, scores = zip(*hits, strict=True) if hits else ((), (), ())
    return rank(list(run), np.array(rows), pa.array(docids, pa.string()), np.array(scores), depth=1000)


def read_qrels(path: Path) -> pa.Table:
    return QRELS.rows([row._asdict() for row in trec.read_judgements(path)])


def means(qrels: pa.Table, run: pa.Table, metrics: list[str], level: int = 1) -> dict[str, float]:
    return evaluate(qrels, run, metrics, relevance_level=level).means()


queries = st.sampled_from(["1", "2", "é"])
docids = st.sampled_from(["a", "b", "c", "d", "e", "f"])
grades = st.dictionaries(queries, st.dictionaries(docids, st.integers(-1, 3), min_size=1), min_size=1)
scores = st.dictionaries(queries, st.dictionaries(docids, st.sampled_from([0.0, 1.0, 2.0]), min_size=1))


@settings(max_examples=60)
@given(grades, scores, st.integers(1, 3))
def test_it_is_trec_eval_on_any_run(qrels, run, level):
    found = evaluate(qrels_table(qrels), run_table(run), list(TREC_EVAL_NAMES), relevance_level=level)
    assert found.query_ids == list(qrels)
    assert found.missing == len(qrels.keys() - run.keys())
    families = {
        "recip_rank",
        "map",
        "map_cut.3",
        "ndcg",
        "ndcg_cut.3",
        "recall.3",
        "P.3",
        "success.3",
        "Rprec",
        "bpref",
        "infAP",
    }
    # With nothing but negative grades of a query, pytrec_eval's nDCG reads memory that is not its own, and may not end.
    judged = {
        query_id: grades if max(grades.values()) >= 0 else dict.fromkeys(grades, 0)
        for query_id, grades in qrels.items()
    }
    expected = pytrec_eval.RelevanceEvaluator(judged, families, relevance_level=level).evaluate(run)
    for metric, name in TREC_EVAL_NAMES.items():
        of_trec_eval = [expected[query_id][name] if query_id in expected else 0.0 for query_id in qrels]
        np.testing.assert_allclose(found.values[metric], of_trec_eval, atol=1e-9, err_msg=metric)


@pytest.mark.parametrize("name", ["bm25.trec", "d_bert_kd_tasb.trec"])
def test_trec_dl_2020_equals_trec_eval(shared_data, name):
    folder = shared_data / "runs-dl20"
    expected = json.loads((folder / "expected.json").read_text())["scores"][name]
    qrels, run = read_qrels(folder / "qrels.dl20-passage.txt"), read_run(folder / name)
    ours = {
        "P_10": "precision@10",
        "map": "map",
        "map_cut_100": "map@100",
        "ndcg_cut_10": "ndcg@10",
        "ndcg_cut_20": "ndcg@20",
        "recall_100": "recall@100",
        "recall_20": "recall@20",
        "recip_rank": "mrr",
        "success_5": "success@5",
    }
    result = evaluate(qrels, run, list(ours.values()))
    assert len(result.query_ids) == expected["num_q"]
    found = {theirs: result.means()[metric] for theirs, metric in ours.items()}
    level_2 = means(qrels, run, ["map", "map@100", "recall@100", "recall@20", "mrr"], 2)
    found |= {f"{theirs}_l2": level_2[metric] for theirs, metric in ours.items() if metric in level_2}
    figures = {key: value for key, value in expected.items() if key not in ("qrels", "num_q")}
    assert {key: round(value, 6) for key, value in found.items()} == figures


@pytest.mark.parametrize(
    ("run", "mrr"),
    [
        ("run.dev.small.tsv", 0.15906651549508694),
        ("run.monobert.ans_small.dev.tsv", 0.402680),
        ("run.monot5.ans_small.dev.tsv", 0.390442),
    ],
)
def test_ms_marco_equals_its_official_scorer(shared_data, run, mrr):
    """Figures documented for these runs. What they call recall counts queries with any positive found: our success."""
    folder = shared_data / "msmarco-ans-small"
    qrels = QRELS.rows([row._asdict() for row in msmarco.read_judgements(folder / "qrels.dev.small.tsv")])
    columns = [line.split("\t") for line in (folder / run).read_text().splitlines()]
    query_ids, docids, ranks = zip(*columns, strict=True)
    table = RUN.table(
        {
            "query_id": query_ids,
            "docid": docids,
            "rank": [int(rank) for rank in ranks],
            "score": [-float(rank) for rank in ranks],
        }
    )
    found = means(qrels, table, ["mrr@10", "success@50", "success@1000"])
    if run == "run.dev.small.tsv":
        expected = {"mrr@10": mrr, "success@50": 0.5619047619047619, "success@1000": 0.8476190476190476}
        assert found == pytest.approx(expected, abs=1e-15)
    else:
        assert round(found["mrr@10"], 6) == mrr


def trec_eval_figures(path: Path) -> dict[str, float]:
    """The figures over all queries in an output of trec_eval."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return {row[0]: float(row[2]) for row in rows if len(row) == 3 and row[1] == "all" and row[0] != "runid"}


@pytest.mark.parametrize(
    ("output", "qrels", "level"), [("out.test.a", "qrels.test", 1), ("out.test.aql", "qrels.rel_level", 2)]
)
def test_trec_evals_own_test_outputs(shared_data, output, qrels, level):
    """These average over the queries that are in the run; so the judgements of the others are left out here."""
    folder = shared_data / "trec_eval-test"
    run, judgements = read_run(folder / "results.test"), read_qrels(folder / qrels)
    judgements = judgements.filter(pc.is_in(judgements["query_id"], value_set=run["query_id"].unique()))
    ours = {
        "map": "map",
        "recip_rank": "mrr",
        "ndcg": "ndcg",
        **{f"P_{cut}": f"precision@{cut}" for cut in (5, 10, 100, 1000)},
        **{f"recall_{cut}": f"recall@{cut}" for cut in (5, 10, 100, 1000)},
        **{f"ndcg_cut_{cut}": f"ndcg@{cut}" for cut in (5, 10, 100, 1000)},
        **{f"map_cut_{cut}": f"map@{cut}" for cut in (5, 10, 100, 1000)},
        **{f"success_{cut}": f"success@{cut}" for cut in (1, 5, 10)},
    }
    expected = trec_eval_figures(folder / output)
    assert expected.keys() >= ours.keys()
    found = means(judgements, run, list(ours.values()), level)
    assert {theirs: round(found[metric], 4) for theirs, metric in ours.items()} == pytest.approx(
        {theirs: expected[theirs] for theirs in ours}, abs=1.01e-4
    )


@pytest.mark.parametrize("metric", ["mmr@10", "ndcg@0", "ndcg@", "ndcg@x", "precision", "mrr@10-l2"])
def test_an_unknown_metric_is_an_error(metric):
    with pytest.raises(InputError, match="not a known metric"):
        evaluate(qrels_table({"1": {"a": 1}}), run_table({"1": {"a": 1.0}}), [metric])


def test_ranks_with_a_gap_are_an_error():
    run = RUN.table({"query_id": ["1", "1"], "docid": ["a", "b"], "rank": [1, 3], "score": [2.0, 1.0]})
    with pytest.raises(InputError, match="ranks of query '1'"):
        evaluate(qrels_table({"1": {"a": 1}}), run, ["mrr"])


def test_no_judgement_is_an_error():
    with pytest.raises(InputError, match="no judgements"):
        evaluate(qrels_table({}), run_table({"1": {"a": 1.0}}), ["mrr"])


def test_the_script_writes_means_and_every_querys_value(tmp_path):
    QRELS.write(tmp_path / "qrels.parquet", qrels_table({"2": {"a": 1}, "1": {"b": 2, "c": 1}, "3": {"a": 1}}))
    RUN.write(tmp_path / "run.parquet", run_table({"1": {"b": 1.0, "x": 2.0}, "2": {"a": 1.0}, "9": {"a": 1.0}}))
    testset = {"dataset": "data", "split": "train", "metrics": ["mrr@10"]}
    config = write_configuration(tmp_path / "config.yaml", testsets={"t": testset})
    evaluate_script.main(
        arguments(
            "run",
            config=config,
            retriever="b/r",
            testset="t",
            run=tmp_path / "run.parquet",
            qrels=tmp_path / "qrels.parquet",
            output=tmp_path / "metrics.json",
        )
    )
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "backbone": "b",
        "training": "r",
        "testset": "t",
        "queries": 3,
        "queries_missing_from_run": 1,
        "metrics": {"mrr@10": 0.5},
    }
    assert PER_QUERY.read(tmp_path / "metrics.per-query.parquet").to_pydict() == {
        "query_id": ["2", "1", "3"],
        "metric": ["mrr@10"] * 3,
        "value": [1.0, 0.5, 0.0],
    }


def test_a_negative_grade_counts_as_none() -> None:
    """DCG is 1 / log2(3) for a relevant passage in second place, and the ideal is 1; a grade of -2 takes nothing."""
    qrels = qrels_table({"1": {"spam": -2, "good": 1}})
    run = run_table({"1": {"spam": 2.0, "good": 1.0}})
    found = means(qrels, run, ["ndcg", "ndcg@10", "mrr", "recall@1"])
    assert found == pytest.approx({"ndcg": 1 / np.log2(3), "ndcg@10": 1 / np.log2(3), "mrr": 0.5, "recall@1": 0.0})


def test_judgements_of_passages_that_the_corpus_lacks_count(tmp_path: Path) -> None:
    """The shape of ArguAna: 1,406 questions with one relevant passage each, of which the corpus lacks 5."""
    lacking = range(0, 1406, 300)
    corpus = [{"docid": f"d{n}", "title": None, "text": "text"} for n in range(1406) if n not in lacking]
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.rows(corpus))
    (tmp_path / "queries.tsv").write_text("".join(f"q{n}\ttext\n" for n in range(1406)))
    (tmp_path / "qrels.txt").write_text("".join(f"q{n} 0 d{n} 1\nq{n} 0 d{n - 1} 1\n" for n in range(1, 1406)))
    with (tmp_path / "qrels.txt").open("a") as file:
        file.write("q0 0 d0 1\n")
    split = Split(
        queries={"format": "msmarco", "path": str(tmp_path / "queries.tsv")},
        qrels={"format": "trec", "path": str(tmp_path / "qrels.txt")},
        unknown_passages="keep",
    )
    ingest_queries(split, tmp_path / "queries.parquet")
    ingest_qrels(split, tmp_path / "corpus.parquet", tmp_path / "queries.parquet", tmp_path / "qrels.parquet")
    run = {f"q{n}": {f"d{n - n % 7}": 2.0, f"d{n}": 1.0, "d1": 0.5} for n in range(1406)}
    run = {query_id: {d: s for d, s in hits.items() if int(d[1:]) not in lacking} for query_id, hits in run.items()}
    found = evaluate(QRELS.read(tmp_path / "qrels.parquet"), run_table(run), ["ndcg", "recall@3", "map"])
    judged: dict[str, dict[str, int]] = {}
    for line in (tmp_path / "qrels.txt").read_text().splitlines():
        query_id, _, docid, grade = line.split()
        judged.setdefault(query_id, {})[docid] = int(grade)
    expected = pytrec_eval.RelevanceEvaluator(judged, {"ndcg", "recall.3", "map"}).evaluate(run)
    assert len(found.query_ids) == 1406
    for metric, name in (("ndcg", "ndcg"), ("recall@3", "recall_3"), ("map", "map")):
        values = [expected[query_id][name] if query_id in expected else 0.0 for query_id in found.query_ids]
        np.testing.assert_allclose(found.values[metric], values, atol=1e-9, err_msg=metric)


def test_rank_biased_precision_and_judged_passages_by_hand() -> None:
    qrels = qrels_table({"q": {"a": 1, "b": 0, "c": 2}})
    run = run_table({"q": {"a": 4.0, "unjudged": 3.0, "c": 2.0, "b": 1.0}})
    found = means(qrels, run, ["rbp-50", "rbp-80", "rbp-50@2", "judged@2", "judged@4", "judged@8"])
    assert found == {
        "rbp-50": pytest.approx(0.5 * (1 + 0.25)),
        "rbp-80": pytest.approx(0.2 * (1 + 0.64)),
        "rbp-50@2": pytest.approx(0.5),
        "judged@2": 0.5,
        "judged@4": 0.75,
        "judged@8": 0.375,
    }


def test_questions_that_a_training_has_too_are_left_out_where_they_are_named(tmp_path):
    QRELS.write(tmp_path / "qrels.parquet", qrels_table({"1": {"b": 1}, "2": {"a": 1}}))
    RUN.write(tmp_path / "run.parquet", run_table({"1": {"b": 1.0}, "2": {"x": 1.0}}))
    row = {"query_id": "2", "text": "q", "split": "data/train", "training_query_id": "9", "training_text": "q"}
    TRAINING_COPIES.write(tmp_path / "copies.parquet", TRAINING_COPIES.rows([row]))
    testset = {"dataset": "data", "split": "train", "metrics": ["mrr@10"]}
    config = write_configuration(tmp_path / "config.yaml", testsets={"t": testset})
    named = {"run": "run.parquet", "qrels": "qrels.parquet", "copies": "copies.parquet", "output": "metrics.json"}
    files = {name: tmp_path / file for name, file in named.items()}
    evaluate_script.main(arguments("run", config=config, retriever="b/r", testset="t", **files))
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert (found["queries"], found["metrics"]) == (1, {"mrr@10": 1.0})
    TRAINING_COPIES.write(files["copies"], TRAINING_COPIES.rows([row, row | {"query_id": "1"}]))
    with pytest.raises(
        InputError, match=r"every judged question of test set t.*Fix: set `testsets\.t\.training_copies`"
    ):
        evaluate_script.main(arguments("run", config=config, retriever="b/r", testset="t", **files))
