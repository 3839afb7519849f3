"""Metrics of answers against figures that the official scorers gave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation import squad
from utility_annotation.evaluation.answers import evaluate_answers
from utility_annotation.evaluation.samples import Sample
from utility_annotation.evaluation.significance import compare
from utility_annotation.io.answers import NO_ANSWER, read_references
from utility_annotation.io.schemas import ANSWERS

BLEUS = ("bleu-1", "bleu-2", "bleu-3", "bleu-4")
LEXICAL = ("em", "f1", *BLEUS, "rouge-l")
TEXT = st.text(st.sampled_from("aBt heé.,-'0\n"), max_size=12)
REFERENCES = st.lists(TEXT.filter(str.strip), min_size=1, max_size=3)


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def ms_marco_sample(shared_data: Path, tmp_path: Path, name: str) -> tuple[dict[str, list[str]], dict[str, str | None]]:
    """References and answers of one of the official scorer's samples; an answer that is not there has failed."""
    folder = shared_data / "msmarco-qa-eval"
    truth = [{**row, "query_id": str(row["query_id"])} for row in rows_of(folder / f"{name}_references.json")]
    ANSWERS.write(tmp_path / "truth.parquet", ANSWERS.rows(truth))
    references = read_references(tmp_path / "truth.parquet")
    candidates = {str(row["query_id"]): row["answers"] for row in rows_of(folder / f"{name}_candidates.json")}
    return references, {query_id: next(iter(candidates.get(query_id, [])), None) for query_id in references}


def test_an_answer_has_a_reference_if_all_its_words_stand_in_a_row() -> None:
    references = {key: ["the Blue Nile", "Abbay"] for key in ("whole", "within", "parted", "part", "none")}
    said = {
        "whole": "Abbay",
        "within": "It is the blue Nile.",
        "parted": "the Nile is blue",
        "part": "Nile",
        "none": None,
    }
    result = evaluate_answers(references, said, ["has-answer"])
    assert dict(zip(result.query_ids, result.values["has-answer"], strict=True)) == {
        "whole": 1,
        "within": 1,
        "parted": 0,
        "part": 0,
        "none": 0,
    }


@pytest.mark.parametrize("name", ["sample", "same_answer_test", "no_answer_test"])
def test_bleu_and_rouge_are_those_of_the_official_ms_marco_scorer(shared_data: Path, tmp_path: Path, name: str) -> None:
    references, answers = ms_marco_sample(shared_data, tmp_path, name)
    if name == "sample":  # the published figures are those without this question; see the next test
        del references["1"]

    figures = evaluate_answers(references, answers, (*BLEUS, "rouge-l")).figures

    expected = json.loads((shared_data / "msmarco-qa-eval" / "expected.json").read_text())[name]
    assert {metric.replace("-", "_"): round(value, 5) for metric, value in figures.items()} == expected


def test_an_answer_that_there_is_none_counts_as_empty_as_in_the_official_scorer(
    shared_data: Path, tmp_path: Path
) -> None:
    """So its code says. Left out, as the figures of its own unit test have it, such an answer would raise the mean."""
    references, answers = ms_marco_sample(shared_data, tmp_path, "sample")
    assert answers["1"] == NO_ANSWER
    published = json.loads((shared_data / "msmarco-qa-eval" / "expected.json").read_text())["sample"]["rouge_l"]
    figure = evaluate_answers(references, answers, ("rouge-l",)).figures["rouge-l"]
    assert figure == pytest.approx(published * 2 / 3, abs=1e-5), "two questions' sum, over three"


def test_exact_match_and_f1_are_those_of_the_official_squad_script(shared_data: Path) -> None:
    folder = shared_data / "squad"
    predictions = json.loads((folder / "Logistic_Regression_Baseline.json").read_text())
    questions = [
        question
        for article in json.loads((folder / "xquad.en.json").read_text())["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    references = {question["id"]: [answer["text"] for answer in question["answers"]] for question in questions}
    answers = {query_id: predictions.get(query_id) for query_id in references}

    result = evaluate_answers(references, answers, ("em", "f1"))

    expected = json.loads((folder / "expected.json").read_text())["Logistic_Regression_Baseline.json"]
    assert len(result.query_ids) == expected["n"]
    assert 100 * result.figures["em"] == pytest.approx(expected["exact_match"], abs=1e-9)
    assert 100 * result.figures["f1"] == pytest.approx(expected["f1"], abs=1e-9)


@pytest.mark.parametrize(
    ("answer", "references", "exact", "f1"),
    [
        ("The  Eiffel Tower.", ["eiffel tower"], 1, 1),
        ("in Paris, France", ["Paris"], 0, 0.5),
        ("Paris Paris", ["Paris"], 0, 2 / 3),
        ("Rome", ["Paris", "ROME!"], 1, 1),
        ("the", ["The"], 1, 1),
        ("...", ["Paris"], 0, 0),
        ("Paris", ["...", "Paris"], 1, 1),
    ],
)
def test_worked_examples_of_exact_match_and_f1(answer: str, references: list[str], exact: float, f1: float) -> None:
    assert squad.exact_match(answer, references) == exact
    assert squad.f1(answer, references) == pytest.approx(f1)


@given(TEXT, REFERENCES)
def test_an_exact_match_has_f1_of_one_and_both_are_fractions(answer: str, references: list[str]) -> None:
    exact, f1 = squad.exact_match(answer, references), squad.f1(answer, references)
    assert exact in (0.0, 1.0)
    assert exact <= f1 <= 1


@given(st.lists(st.tuples(TEXT, REFERENCES), min_size=1, max_size=3))
def test_every_value_is_a_fraction_whatever_the_order_of_the_references(cases: list[tuple[str, list[str]]]) -> None:
    references = {str(place): known for place, (_, known) in enumerate(cases)}
    backwards = {query_id: known[::-1] for query_id, known in references.items()}
    answers = {str(place): answer for place, (answer, _) in enumerate(cases)}
    result = evaluate_answers(references, answers, LEXICAL)
    assert result.figures == evaluate_answers(backwards, answers, LEXICAL).figures
    assert all(0 <= value <= 1 for values in result.values.values() for value in [*values, values.mean()])
    assert all(0 <= value <= 1 for value in result.figures.values())


def test_a_failed_answer_scores_nothing_by_any_metric() -> None:
    references = {"whole": ["a b c d"], "failed": ["x  y"]}  # an empty answer has the second gap in common with it
    result = evaluate_answers(references, {"whole": "a b c d", "failed": None}, LEXICAL)
    assert {metric: values.tolist()[1] for metric, values in result.values.items()} == dict.fromkeys(LEXICAL, 0.0)
    assert result.figures["rouge-l"] == result.figures["em"] == 0.5
    assert result.figures["bleu-1"] < 1, "the brevity of a missing answer counts in the corpus BLEU"


def test_corpus_bleu_sums_counts_and_sentence_values_stand_for_each_question() -> None:
    references = {"long": ["a b c d e f g h"], "short": ["x y"]}
    result = evaluate_answers(references, {"long": "a b c d e f g h", "short": "x z"}, ("bleu-1",))
    assert result.values["bleu-1"] == pytest.approx([1, 0.5], abs=1e-6)
    assert result.figures["bleu-1"] == pytest.approx(9 / 10, abs=1e-6)


def test_per_query_values_feed_the_significance_test() -> None:
    references = {"q1": ["a"], "q2": ["b"], "q3": ["c"]}
    good = evaluate_answers(references, {"q1": "a", "q2": "b", "q3": "x"}, ("em", "f1")).per_query().to_pylist()
    poor = evaluate_answers(references, {"q1": "x", "q2": None, "q3": "x"}, ("em", "f1")).per_query().to_pylist()
    values = [{row["query_id"]: row["value"] for row in rows if row["metric"] == "em"} for rows in (good, poor)]
    assert values == [{"q1": 1, "q2": 1, "q3": 0}, {"q1": 0, "q2": 0, "q3": 0}]
    assert 0 < compare(*(Sample.of([[each]]) for each in values)).p_value < 1


def test_questions_without_an_answer_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"query_id": "answered", "answers": ["", "a"]},
        {"query_id": "unanswerable", "answers": [NO_ANSWER]},
        {"query_id": "disputed", "answers": ["a", NO_ANSWER]},
        {"query_id": "blank", "answers": [" "]},
        {"query_id": "none", "answers": []},
    ]
    ANSWERS.write(tmp_path / "truth.parquet", ANSWERS.rows(rows))
    assert read_references(tmp_path / "truth.parquet") == {"answered": ["a"]}


@pytest.mark.parametrize(
    ("references", "answers", "metric", "problem"),
    [
        ({}, {}, "em", "no question has a ground-truth answer"),
        ({"q1": ["a"]}, {"q2": "a"}, "em", "no answer to question 'q1'"),
        ({"q1": ["a"]}, {"q1": "a"}, "meteor", "'meteor' is no metric"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(references: dict, answers: dict, metric: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        evaluate_answers(references, answers, (metric,))


def test_values_are_in_the_order_of_the_questions() -> None:
    result = evaluate_answers({"b": ["x"], "a": ["y"]}, {"a": "y", "b": "z"}, ("em",))
    assert result.query_ids == ["b", "a"]
    assert np.array_equal(result.values["em"], [0, 1])
