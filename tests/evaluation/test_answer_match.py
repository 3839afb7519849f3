"""Whether a passage holds an answer: as DPR's own code says, and what metrics make of it."""

from __future__ import annotations

import json
import logging
import unicodedata
from pathlib import Path

import evaluate as script
import pytest
from command_line import arguments, write_configuration
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyserini.eval.evaluate_dpr_retrieval import SimpleTokenizer, has_answers

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.answer_match import NO_PASSAGE, AnswerMatcher, tokens
from utility_annotation.evaluation.metric_names import largest_cutoff
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.io.schemas import ANSWERS, CORPUS, QRELS, RUN


@pytest.mark.parametrize(
    ("answer", "text", "found"),
    [
        ("Paris", "The capital is PARIS, in France.", True),
        ("Paris", "parisian cafés", False),
        ("New York", "new   york\n", True),
        ("New York", "new, york", False),
        ("U.S.", "in the U.S. of A.", True),
        ("U.S.", "in the us", False),
        ("6½", "He added 6½ sacks", True),
        ("caf\u00e9", "a cafe\u0301", True),
        ("cafe", "a caf\u00e9", False),
        ("\u200b", "anything", False),  # an answer without a token
    ],
)
def test_an_answer_is_its_tokens_in_a_row(answer: str, text: str, found: bool) -> None:
    assert AnswerMatcher([answer]).is_in(text) is found


def test_any_of_several_answers_will_do() -> None:
    assert AnswerMatcher(["London", "Paris"]).is_in("paris")
    assert not AnswerMatcher([]).is_in("paris")


texts = st.text(st.sampled_from("aAbß1½é\u0301İıſK²₂ー漢-'’.,#\u00ad\u200b\x00\x85 \n\u3000Ⅷ\u0903"), max_size=14)
any_text = st.text(max_size=12)


@settings(max_examples=400)
@given(text=texts | any_text, answer=texts | any_text)
@example(text="İstanbul", answer="i̇stanbul")
def test_tokens_and_matches_are_those_of_dprs_own_code(text: str, answer: str) -> None:
    """pyserini carries it. An answer without a token matches everything there, and nothing here."""
    reference = SimpleTokenizer()
    assert tokens(text) == reference.tokenize(unicodedata.normalize("NFD", text)).words(uncased=True)
    if tokens(answer):
        for whole in (text, text + answer, f"{text} {answer} {text}"):
            assert AnswerMatcher([answer]).is_in(whole) == has_answers(whole, [answer], reference)


def test_real_paragraphs_hold_their_answers_as_dprs_own_code_says(shared_data: Path) -> None:
    """SQuAD: each paragraph against the answers to its own questions and to those of the paragraph before."""
    raw = json.loads((shared_data / "squad" / "xquad.en.json").read_text())
    paragraphs = [paragraph for article in raw["data"] for paragraph in article["paragraphs"]]
    reference, own, foreign = SimpleTokenizer(), 0, 0
    for before, paragraph in zip([None, *paragraphs], paragraphs, strict=False):
        for place, source in enumerate(filter(None, (paragraph, before))):
            for question in source["qas"]:
                answers = [answer["text"] for answer in question["answers"]]
                found = AnswerMatcher(answers).is_in(paragraph["context"])
                assert found == has_answers(paragraph["context"], answers, reference)
                own, foreign = own + (found and not place), foreign + (found and place)
    assert own / 1190 > 0.98
    assert foreign / 1190 < 0.2


@pytest.mark.parametrize(
    ("metrics", "depth"), [(["success@5", "success@20"], 20), (["mrr@10"], 10), (["success@5", "mrr"], None)]
)
def test_the_largest_cutoff_decides_how_far_down_is_judged(metrics: list[str], depth: int | None) -> None:
    assert largest_cutoff(metrics) == depth


PASSAGES = {"a": ("Berlin", "nothing here"), "b": (None, "It is in Paris."), "c": (None, "Rome"), "d": (None, "x")}
ANSWERED = {"q1": ["Paris"], "q2": ["Rome", "Roma"], "q3": ["Berlin"], "q4": ["Oslo"]}
RANKED = {"q1": "abc", "q2": "abdc", "q3": "abc", "q9": "ab"}


def judge(folder: Path, metrics: list[str], ranked: dict[str, str] = RANKED) -> Path:
    CORPUS.write(
        folder / "corpus.parquet", CORPUS.rows([{"docid": d, "title": t, "text": x} for d, (t, x) in PASSAGES.items()])
    )
    ANSWERS.write(
        folder / "answers.parquet", ANSWERS.rows([{"query_id": q, "answers": a} for q, a in ANSWERED.items()])
    )
    rows = [
        {"query_id": query_id, "docid": docid, "rank": rank, "score": -float(rank)}
        for query_id, docids in ranked.items()
        for rank, docid in reversed(list(enumerate(docids, 1)))
    ]
    RUN.write(folder / "run.parquet", RUN.rows(rows))
    testset = {"dataset": "data", "split": "train", "relevant": "answers", "metrics": metrics}
    config = write_configuration(folder / "config.yaml", testsets={"answered": testset})
    files = {name: folder / f"{name}.parquet" for name in ("run", "answers", "corpus")}
    output = folder / "out" / "qrels.parquet"
    script.main(arguments("answers", config=config, testset="answered", **files, output=output))
    return folder / "out" / "qrels.parquet"


def test_every_passage_down_to_the_cutoff_is_judged_and_a_question_without_one_has_a_judgement_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        judged = QRELS.read(judge(tmp_path, ["success@1", "success@3"])).to_pylist()
    assert [(row["query_id"], row["docid"], row["grade"]) for row in judged] == [
        *(("q1", "a", 0), ("q1", "b", 1), ("q1", "c", 0)),
        *(("q2", "a", 0), ("q2", "b", 0), ("q2", "d", 0)),
        *(("q3", "a", 0), ("q3", "b", 0), ("q3", "c", 0)),  # the title is not looked at
        ("q4", NO_PASSAGE, 0),
    ]
    assert "1 of 9 passages hold an answer to their question; 1 of 4 questions have no passage" in caplog.text


def test_top_k_accuracy_is_over_all_questions_with_an_answer(tmp_path: Path) -> None:
    metrics = ["success@1", "success@2", "success@4", "mrr@4", "precision@2"]
    found = evaluate(QRELS.read(judge(tmp_path, metrics)), RUN.read(tmp_path / "run.parquet"), metrics)
    assert found.means() == {
        "success@1": 0,
        "success@2": 1 / 4,
        "success@4": 2 / 4,
        "mrr@4": (1 / 2 + 1 / 4) / 4,
        "precision@2": (1 / 2) / 4,
    }
    assert found.missing == 1


def test_a_run_that_found_nothing_scores_nothing(tmp_path: Path) -> None:
    found = evaluate(QRELS.read(judge(tmp_path, ["success@5"], {})), RUN.read(tmp_path / "run.parquet"), ["success@5"])
    assert (found.means(), found.missing) == ({"success@5": 0}, 4)


def test_a_run_of_another_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.parquet: passage 'z' is not in the corpus"):
        judge(tmp_path, ["success@5"], {"q1": "az"})
    assert not list((tmp_path / "out").iterdir())
