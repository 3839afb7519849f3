"""TREC qrels and runs, read and written."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.io.formats import trec
from utility_annotation.io.schemas import RUN

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


def test_a_whole_grade_may_have_a_point(tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("1 0 a 1.0\n1 0 b -1\n")
    assert [row.grade for row in trec.read_judgements(tmp_path / "qrels")] == [1, -1]


@settings(max_examples=50)
@given(scores=st.dictionaries(st.tuples(ID, ID), SCORE))
def test_a_run_is_written_row_by_row_with_all_digits(scores: dict, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("trec")
    rows = [
        {"query_id": query_id, "docid": docid, "rank": number, "score": score}
        for number, ((query_id, docid), score) in enumerate(scores.items(), start=1)
    ]
    RUN.write(folder / "run.parquet", RUN.rows(rows))
    trec.write_run(folder / "run.parquet", folder / "out.trec", tag="ours")
    lines = [line.split(" ") for line in (folder / "out.trec").read_text("utf-8").split("\n")[:-1]]
    assert [(line[0], line[2], int(line[3]), float(line[4])) for line in lines] == [tuple(row.values()) for row in rows]
    assert all((line[1], line[5]) == ("Q0", "ours") for line in lines)
