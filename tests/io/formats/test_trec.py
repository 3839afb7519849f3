"""TREC qrels and runs, read and written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import trec
from utility_annotation.io.schemas import QRELS, RUN

ID = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, blacklist_categories=["Zs", "Cc", "Cs"]), min_size=1)
SCORE = st.floats(allow_nan=False, allow_infinity=False)


def test_comments_are_skipped(shared_data: Path) -> None:
    folder = shared_data / "trec_eval-test"
    plain = [row[1:] for row in trec.read_judgements(folder / "qrels.test")]
    commented = [row[1:] for row in trec.read_judgements(folder / "qrels.test.with-comments")]
    assert len(plain) == len(commented) == 3681
    assert [row for row, other in zip(plain, commented, strict=True) if row != other] == [("301", "CR93E-1860", 0)]


def test_real_graded_qrels(shared_data: Path) -> None:
    judgements = list(trec.read_judgements(shared_data / "runs-dl20" / "qrels.dl20-passage.txt"))
    assert len(judgements) == 11386
    assert {row.grade for row in judgements} == {0, 1, 2, 3}
    assert len({row.query_id for row in judgements}) == 54


def test_scores_that_are_equal_in_single_precision_are_ties_as_in_trec_eval(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("q Q0 a 1 1.00000000002 t\nq Q0 b 2 1.00000000001 t\nq Q0 c 3 0.9999 t\n")
    assert trec.read_run(path)["docid"].to_pylist() == ["b", "a", "c"]


def test_real_run(shared_data: Path) -> None:
    run = trec.read_run(shared_data / "runs-dl20" / "bm25.trec")
    assert run.num_rows == 5400
    assert run.slice(0, 1).to_pylist() == [
        {"query_id": "23849", "docid": "4348282", "rank": 1, "score": 10.066300392150879}
    ]


def test_a_run_tag_may_hold_blanks_and_queries_may_interleave(shared_data: Path) -> None:
    run = trec.read_run(shared_data / "trec_eval-test" / "results.trunc").to_pandas()
    assert len(run) == 584
    for _, rows in run.groupby("query_id"):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows["score"].is_monotonic_decreasing


def test_the_score_ranks_and_ties_go_by_docid_descending(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("q Q0 a 1 2.0 x\nq Q0 c 2 2.0 x\nq Q0 b 3 2.0 x\nq Q0 d 4 9 x\n")
    assert trec.read_run(path)["docid"].to_pylist() == ["d", "c", "b", "a"]


@settings(deadline=None, max_examples=50)
@given(scores=st.dictionaries(st.tuples(ID, ID), SCORE))
def test_a_run_round_trips(scores: dict, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("trec")
    (folder / "in.trec").write_text(
        "".join(f"{query_id} Q0 {docid} 0 {score!r} tag\n" for (query_id, docid), score in scores.items()), "utf-8"
    )
    run = trec.read_run(folder / "in.trec")
    RUN.write(folder / "run.parquet", run)
    trec.write_run(folder / "run.parquet", folder / "out.trec", tag="ours")
    assert trec.read_run(folder / "out.trec") == run
    read = {(row["query_id"], row["docid"]): row["score"] for row in run.to_pylist()}
    assert read == scores


@settings(deadline=None, max_examples=50)
@given(grades=st.dictionaries(st.tuples(ID.filter(lambda text: text[0] != "#"), ID), st.integers(-(2**31), 2**31 - 1)))
def test_qrels_round_trip(grades: dict, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("trec")
    rows = [{"query_id": query_id, "docid": docid, "grade": grade} for (query_id, docid), grade in grades.items()]
    QRELS.write(folder / "qrels.parquet", QRELS.rows(rows))
    trec.write_judgements(folder / "qrels.parquet", folder / "qrels.txt")
    assert [row[1:] for row in trec.read_judgements(folder / "qrels.txt")] == [tuple(row.values()) for row in rows]


def test_an_id_with_a_blank_is_not_written(tmp_path: Path) -> None:
    run = RUN.table({"query_id": ["q"], "docid": ["a b"], "rank": [1], "score": [1.0]})
    RUN.write(tmp_path / "run.parquet", run)
    with pytest.raises(InputError, match="'a b'"):
        trec.write_run(tmp_path / "run.parquet", tmp_path / "out.trec", tag="x")
    assert [path.name for path in tmp_path.iterdir()] == ["run.parquet"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q Q0 d 1 1.0", "5 columns where 6 are due"),
        ("q Q0 d 1 high x", "score 'high' is not a number"),
        ("q Q0 d 1 nan x", "score 'nan' is not a number"),
        ("q Q0 a 2 0.5 x", "already on line 1"),
    ],
)
def test_bad_runs(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 a 1 1.0 x\n{line}\n")
    with pytest.raises(InputError, match=rf"run\.trec, line 2: .*{problem}"):
        trec.read_run(path)
