"""Judgements of humans and of a label set together."""

from __future__ import annotations

import logging
from pathlib import Path

import evaluate as script
import pytest
from command_line import arguments, write_configuration
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.merged_qrels import merge_qrels
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.io.label_values import IGNORED
from utility_annotation.io.schemas import DUPLICATES, LABELS, QRELS, RUN

Grades = dict[tuple[str, str], float]


def files(folder: Path, human: Grades, labels: Grades) -> dict[str, Path]:
    paths = {name: folder / f"{name}.parquet" for name in ("qrels", "labels", "output")}
    QRELS.write(
        paths["qrels"], QRELS.rows([{"query_id": q, "docid": d, "grade": int(g)} for (q, d), g in human.items()])
    )
    rows = [{"query_id": q, "docid": d, "label": g, "source": "test"} for (q, d), g in labels.items()]
    LABELS.write(paths["labels"], LABELS.rows(rows))
    return paths


def run_script(folder: Path, **paths: Path) -> None:
    script.main(arguments("labels", testset="test", config=write_configuration(folder / "config.yaml"), **paths))


def grades(path: Path) -> dict[tuple[str, str], int]:
    return {(row["query_id"], row["docid"]): row["grade"] for row in QRELS.read(path).to_pylist()}


HUMAN = {("q1", "a"): 1, ("q1", "b"): 0, ("q1", "c"): 3, ("q2", "a"): -2, ("q3", "a"): 1}
LABELLED = {("q1", "a"): 1, ("q1", "b"): 1, ("q1", "c"): 1, ("q2", "a"): 1, ("q2", "b"): 0, ("q4", "z"): 0}


def test_the_higher_grade_counts_and_questions_without_labels_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = files(tmp_path, HUMAN, LABELLED)
    with caplog.at_level(logging.WARNING):
        run_script(tmp_path, **paths)
    assert grades(paths["output"]) == {("q1", "a"): 1, ("q1", "b"): 1, ("q1", "c"): 3, ("q2", "a"): 1}
    assert "1 labelled questions have no relevant passage" in caplog.text


def test_a_positive_label_is_relevant_at_every_relevance_level(tmp_path: Path) -> None:
    paths = files(tmp_path, {("q", "related"): 1, ("q", "perfect"): 3}, {("q", "useful"): 1, ("q", "perfect"): 1})
    merge_qrels(**paths, relevance_level=2)
    assert grades(paths["output"]) == {("q", "perfect"): 3, ("q", "related"): 1, ("q", "useful"): 2}


def test_a_passage_that_only_the_labels_call_relevant_counts_in_the_metrics(tmp_path: Path) -> None:
    paths = files(tmp_path, {("q", "x"): 1, ("r", "x"): 1}, {("q", "a"): 1, ("q", "x"): 0})
    assert merge_qrels(**paths) == 1
    run = RUN.rows([{"query_id": q, "docid": "a", "rank": 1, "score": 1.0} for q in ("q", "r")])
    found = evaluate(QRELS.read(paths["output"]), run, ["mrr@10", "recall@10"])
    assert found.query_ids == ["q"]
    assert found.means() == {"mrr@10": 1, "recall@10": 0.5}


def test_scores_are_no_labels_to_judge_by(tmp_path: Path) -> None:
    paths = files(tmp_path, HUMAN, {("q1", "a"): -0.5})
    with pytest.raises(InputError, match=r"labels\.parquet: these labels are scores"):
        merge_qrels(**paths)


def test_no_judgement_at_all_is_an_error(tmp_path: Path) -> None:
    paths = files(tmp_path, HUMAN, {("q4", "a"): 0})
    with pytest.raises(InputError, match="no labelled question has a judgement"):
        merge_qrels(**paths)
    assert not paths["output"].exists()


pairs = st.tuples(st.sampled_from(["1", "2", "é"]), st.sampled_from(["a", "b", "c"]))


@settings(max_examples=40)
@given(st.dictionaries(pairs, st.integers(-1, 3)), st.dictionaries(pairs, st.sampled_from([0, 1]), min_size=1))
def test_merging_equals_a_plain_loop(tmp_path_factory: pytest.TempPathFactory, human: Grades, labels: Grades) -> None:
    labelled = {query_id for query_id, _ in labels}
    expected = {pair: grade for pair, grade in human.items() if pair[0] in labelled}
    for pair, label in labels.items():
        if label:
            expected[pair] = max(expected.get(pair, 1), 1)
    paths = files(tmp_path_factory.mktemp("qrels"), human, labels)
    if not expected:
        with pytest.raises(InputError):
            merge_qrels(**paths)
    else:
        merge_qrels(**paths)
        assert grades(paths["output"]) == expected


def test_labels_alone_judge_where_no_qrels_are_given(tmp_path: Path) -> None:
    paths = files(tmp_path, HUMAN, LABELLED)
    del paths["qrels"]
    run_script(tmp_path, **paths)
    assert grades(paths["output"]) == {("q1", "a"): 1, ("q1", "b"): 1, ("q1", "c"): 1, ("q2", "a"): 1}


def test_a_label_goes_for_every_copy_of_the_passage_that_the_pool_held(tmp_path: Path) -> None:
    labelled = {("q", "kept"): 1, ("q", "x"): 0, ("r", "first"): 1, ("r", "alone"): 1}
    paths = files(tmp_path, HUMAN, labelled)
    named = [
        ("q", "kept", "found", True),
        ("q", "later", "found", True),
        ("q", "x2", "x", True),
        ("q", "like", "found", False),
        ("r", "second", "first", True),
    ]
    rows = [{"query_id": q, "docid": d, "duplicate_of": of, "similarity": 0.9, "copy": c} for q, d, of, c in named]
    DUPLICATES.write(tmp_path / "duplicates.parquet", DUPLICATES.rows(rows))
    run_script(tmp_path, labels=paths["labels"], output=paths["output"], duplicates=tmp_path / "duplicates.parquet")
    found = {("q", "found"), ("q", "kept"), ("q", "later"), ("r", "alone"), ("r", "first"), ("r", "second")}
    assert grades(paths["output"]) == dict.fromkeys(found, 1)


def test_an_ignored_passage_is_unjudged_unless_humans_judged_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = files(tmp_path, {("q", "a"): 2}, {("q", "a"): IGNORED, ("q", "b"): IGNORED, ("q", "c"): 1, ("q", "d"): 0})
    with caplog.at_level(logging.INFO):
        merge_qrels(**paths)
    assert grades(paths["output"]) == {("q", "a"): 2, ("q", "c"): 1}
    assert "2 passages are ignored, and count as unjudged" in caplog.text
