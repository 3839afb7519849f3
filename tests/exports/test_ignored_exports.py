"""What becomes of ignored passages in labels that are handed over: no form calls them negative."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from labelled_pool import CANDIDATES, POSITIVES, TEXTS, write_labelled
from test_label_exports import export, full

from utility_annotation.exports.forms import FORMS
from utility_annotation.io.formats import beir, tevatron, trec

IGNORED = {"q1": "b", "q3": "cd"}
"""Query → docids; d is a negative of other queries, too."""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    labelled = write_labelled(tmp_path, CANDIDATES, POSITIVES, IGNORED)
    return {form: export(labelled, form, tmp_path, ignore="relsel") for form in FORMS}


def negatives(query_id: str) -> list[str]:
    return [d for d in CANDIDATES[query_id] if d not in POSITIVES[query_id] and d not in IGNORED.get(query_id, "")]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_training_rows_do_not_have_them(folders: dict[str, Path]) -> None:
    for row in tevatron.read_rows(folders["tevatron"] / "train.jsonl"):
        assert (row.positives, row.negatives) == (POSITIVES[row.query_id], negatives(row.query_id))
    for row in tevatron.read_id_rows(folders["tevatron-v2"] / "train.jsonl"):
        assert (row.positives, row.negatives) == (POSITIVES[row.query_id], negatives(row.query_id))
    flag = {tuple(row["neg"]) for row in lines(folders["flag-embedding"] / "train.jsonl")}
    assert flag == {tuple(full(negatives(query_id))) for query_id in ("q1", "q3", "q4")}
    table = pq.read_table(folders["sentence-transformers"] / "train.parquet").to_pylist()
    of_third = next(row for row in table if row["anchor"] == "plain?")
    assert {of_third[column] for column in of_third if column.startswith("negative")} == set(full("a"))


def test_a_conversation_does_not_show_them(folders: dict[str, Path]) -> None:
    tasks = [row["prompt"][0]["content"] for row in lines(folders["trl"] / "train.jsonl")]
    (third,) = [task for task in tasks if "Question: plain?" in task]
    shown = [line.split("] ", 1)[1] for line in third.splitlines() if line.startswith("[")]
    assert shown == [" ".join(text.split()) for text in full("ae")]


def test_judgements_leave_them_unjudged_and_the_corpus_of_beir_has_them(folders: dict[str, Path]) -> None:
    grades = {(row.query_id, row.docid): row.grade for row in trec.read_judgements(folders["trec"] / "qrels.txt")}
    assert grades.keys() == {
        (query_id, docid)
        for query_id, docids in CANDIDATES.items()
        for docid in docids
        if docid not in IGNORED.get(query_id, "")
    }
    assert {place for place, grade in grades.items() if grade} == {
        (query_id, docid) for query_id, docids in POSITIVES.items() for docid in docids
    }
    judged = {(row.query_id, row.docid) for row in beir.read_judgements(folders["beir"])}
    assert judged == {place for place, grade in grades.items() if grade}
    assert {passage.docid for passage in beir.read_passages(folders["beir"])} == set(TEXTS)


def test_the_corpus_of_beir_has_a_passage_that_every_query_ignores(tmp_path: Path) -> None:
    labelled = write_labelled(tmp_path, {"q1": "abe", "q2": "bc"}, {"q1": ["a"], "q2": ["c"]}, {"q1": "e"})
    assert {passage.docid for passage in beir.read_passages(export(labelled, "beir", tmp_path))} == set("abce")


@pytest.mark.parametrize("form", FORMS)
def test_the_card_counts_them_and_says_where_they_are(folders: dict[str, Path], form: str) -> None:
    text = (folders[form] / "README.md").read_text()
    assert f"3 candidates are ignored: {FORMS[form].ignored}." in text
    assert "| ignored | what the stage relsel selected, if it is not positive |" in text
    assert "| human positives that the labels ignore | 1 |" in text


@pytest.mark.parametrize("form", FORMS)
def test_a_query_with_nothing_but_ignored_candidates_is_left_out_and_counted(tmp_path: Path, form: str) -> None:
    (tmp_path / "less").mkdir()
    doubted = write_labelled(tmp_path, CANDIDATES, POSITIVES, {"q2": "bde"})
    rest = {query_id: docids for query_id, docids in CANDIDATES.items() if query_id != "q2"}
    without = write_labelled(tmp_path / "less", rest, POSITIVES)
    folder, expected = export(doubted, form, tmp_path), export(without, form, tmp_path / "less")
    assert "| left out, with nothing but ignored candidates | 1 |" in (folder / "README.md").read_text()
    names = [path.name for path in expected.iterdir() if path.is_file() and path.suffix in (".txt", ".tsv", ".jsonl")]
    for name in names:
        assert sorted((folder / name).read_text().splitlines()) == sorted((expected / name).read_text().splitlines())


@pytest.mark.parametrize("form", FORMS)
def test_the_card_of_labels_that_ignore_nothing_says_nothing_of_it(tmp_path: Path, form: str) -> None:
    text = (export(write_labelled(tmp_path, CANDIDATES, POSITIVES), form, tmp_path) / "README.md").read_text()
    assert "ignore" not in text
