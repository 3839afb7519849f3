"""Questions with all that was said of their passages, collected from the files of a pool."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report as script
from configured import write_configuration
from judged_questions import HOSTILE, JUDGES, LONG, QUESTIONS, JudgedPool, write_judged_pool

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import ANNOTATION, ORIGINS

RELSEL, ANSWER, UTILSEL, UTILRANK, REPLUG, OWN = range(len(JUDGES))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> JudgedPool:
    return write_judged_pool(tmp_path_factory.mktemp("cards"))


@pytest.fixture(scope="module")
def cards(pool: JudgedPool) -> dict[str, dict[str, Any]]:
    return {card["query_id"]: card for card in pool.collect()[1]["cards"]}


def test_a_card_has_the_passages_in_the_order_in_which_they_were_shown(cards: dict[str, dict[str, Any]]) -> None:
    for query_id, (query, docids, human) in QUESTIONS.items():
        card = cards[query_id]
        assert card["query"] == query
        assert [(passage["docid"], passage["human"]) for passage in card["passages"]] == [
            (docid, docid in human) for docid in docids
        ]


@pytest.mark.parametrize(
    ("query_id", "judge", "facts"),
    [
        ("q1", RELSEL, ["ok", "adds"]),
        ("q1", ANSWER, ["ok"]),
        ("q1", UTILSEL, ["ok", "adds", "misses"]),
        ("q1", REPLUG, ["ok", "same"]),
        ("q2", RELSEL, ["unparsable"]),
        ("q2", UTILRANK, ["ok", "adds", "misses"]),
        ("q2", OWN, ["empty", "misses"]),
        ("q3", UTILSEL, ["error"]),
        ("q4", UTILSEL, ["truncated"]),
    ],
)
def test_a_judgement_says_what_became_of_it_and_how_it_compares(
    cards: dict[str, dict[str, Any]], query_id: str, judge: int, facts: list[str]
) -> None:
    assert cards[query_id]["judgements"][judge]["facts"] == facts


def marks(card: dict[str, Any], judge: int) -> list[tuple[Any, ...] | None]:
    found = card["judgements"][judge]["marks"]
    return [mark and (mark["positive"], mark["rank"], mark["score"], mark["place"]) for mark in found]


def test_a_selection_marks_what_it_was_shown(cards: dict[str, dict[str, Any]]) -> None:
    assert marks(cards["q1"], RELSEL) == [(place in (1, 3), None, None, place) for place in (1, 2, 3, 4)]


def test_a_passage_that_a_relevance_selection_left_out_has_no_mark_after_it(cards: dict[str, dict[str, Any]]) -> None:
    assert marks(cards["q1"], UTILSEL) == [(False, None, None, 1), None, (True, None, None, 2), None]


def test_where_the_relevance_selection_failed_all_were_shown(cards: dict[str, dict[str, Any]]) -> None:
    assert marks(cards["q2"], UTILSEL) == [(True, None, None, 1), (False, None, None, 2), (False, None, None, 3)]


def test_a_ranking_has_ranks_and_its_top_is_chosen(cards: dict[str, dict[str, Any]]) -> None:
    assert marks(cards["q1"], UTILRANK) == [(False, 2, None, 1), None, (True, 1, None, 2), None]


def test_what_was_added_to_a_ranking_has_no_rank_and_is_not_chosen(cards: dict[str, dict[str, Any]]) -> None:
    assert [mark and mark[:2] for mark in marks(cards["q4"], UTILRANK)] == [
        *((True, 1), (False, 2)),
        *[(False, None)] * 2,
    ]
    assert cards["q4"]["judgements"][UTILRANK]["events"] == ["whole", "completed"]
    assert cards["q1"]["judgements"][UTILRANK]["events"] == []


def test_likelihoods_have_scores_and_ranks_and_choose_nothing(cards: dict[str, dict[str, Any]]) -> None:
    assert marks(cards["q2"], REPLUG) == [(False, 2, -1.5, 1), (False, 1, -0.5, 2), (False, 3, -2.5, 3)]


def test_a_label_set_from_a_file_marks_its_positives_and_may_lack_a_question(cards: dict[str, dict[str, Any]]) -> None:
    assert [mark[0] for mark in marks(cards["q3"], OWN) if mark] == [False, False, True, True]
    assert cards["q4"]["judgements"][OWN] is None


def test_what_was_replied_and_what_it_took_is_kept(cards: dict[str, dict[str, Any]]) -> None:
    said = cards["q2"]["judgements"][RELSEL]
    assert said["replies"] == [{"text": HOSTILE, "left_out": 0}]
    assert (said["attempts"], said["prompt_tokens"], said["finish_reason"]) == (3, 100, "stop")
    assert cards["q3"]["judgements"][RELSEL]["cut_words"] == 77
    assert cards["q1"]["judgements"][ANSWER]["answer"]["text"] == HOSTILE
    assert cards["q1"]["truth"] == [HOSTILE, "gravity"]
    assert cards["q2"]["truth"] is None


def test_what_is_cut_says_by_how_much(cards: dict[str, dict[str, Any]]) -> None:
    passage = cards["q3"]["passages"][0]
    assert len(passage["text"]) + passage["left_out"] == len(LONG)
    assert passage["left_out"] > 0


def test_all_questions_are_counted_however_few_are_shown(pool: JudgedPool) -> None:
    found = pool.collect(questions=1)[1]
    assert (found["questions"], len(found["cards"])) == (4, 1)
    assert found["judges"][RELSEL]["counts"] == {
        "ok": 2,
        "unparsable": 1,
        "empty": 1,
        "same": 1,
        "adds": 1,
        "misses": 1,
        "compared": 3,
    }


def test_the_number_of_shards_changes_nothing(pool: JudgedPool, tmp_path: Path) -> None:
    other = write_judged_pool(tmp_path, shards=1)
    assert other.collect(questions=3)[1] == pool.collect(questions=3)[1]


def test_a_pool_without_ground_truth_has_none(pool: JudgedPool) -> None:
    assert {card["truth"] for card in replace(pool, truth=False).collect()[1]["cards"]} == {None}


def test_a_passage_of_a_document_says_where_it_is_from(pool: JudgedPool, tmp_path: Path) -> None:
    rows = [
        {"docid": "a", "file": "guide.pdf", "name": "", "title": "", "headings": [], "page": 7},
        {"docid": "b", "file": "all.jsonl", "name": "d1", "title": "", "headings": [], "page": None},
    ]
    ORIGINS.write(tmp_path / "origins.parquet", ORIGINS.rows(rows))
    cards = pool.collect(tmp_path / "origins.parquet")[1]["cards"]
    told = {passage["docid"]: passage.get("origin") for card in cards for passage in card["passages"]}
    assert (told["a"], told["b"], told["c"]) == ("guide.pdf, page 7", "all.jsonl:d1", None)


def test_the_script_collects_the_pool_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pool = write_judged_pool(tmp_path / "results")
    Path("data/d/answers").mkdir(parents=True)
    shutil.copy("results/truth.parquet", "data/d/answers/train.parquet")
    tables = {"label_tables": {"t": {"title": "t", "labels": ["useful", "ranked", "likely", "own"]}}}
    file = write_configuration(tmp_path, report={"questions": 50, "seed": 13}, **tables)
    script.main(["sample", "--config", file, "--pool", "p", "--output", "cards.json"])
    found = json.loads(Path("cards.json").read_text())
    assert found["questions"] == pool.collect()[1]["questions"]
    assert {card["query_id"]: card["truth"] for card in found["cards"]} == dict.fromkeys(QUESTIONS) | {
        "q1": [HOSTILE, "gravity"]
    }
    assert {judge["name"] for judge in found["judges"]} >= {"utilrank · llm", "replug · small", "own"}


def test_an_annotation_of_another_pool_is_refused(tmp_path: Path) -> None:
    pool = write_judged_pool(tmp_path)
    shard = tmp_path / "annotation" / "p" / "llm" / "relsel" / "0000-of-0002.parquet"
    ANNOTATION.write(shard, ANNOTATION.read(shard).slice(1))
    with pytest.raises(InputError, match="not the queries of the pool's shard"):
        pool.collect()


def test_what_the_relevance_selection_chose_and_the_stage_did_not_is_ignored(pool: JudgedPool) -> None:
    """The reply of q3 could not be read, so that its labels say nothing."""
    judges = [*JUDGES[:UTILSEL], JUDGES[UTILSEL] | {"ignore": "relsel"}, *JUDGES[UTILRANK:]]
    cards = {card["query_id"]: card["judgements"] for card in pool.collect(judges=judges)[1]["cards"]}
    ignored = {key: [mark and mark["ignored"] for mark in said[UTILSEL]["marks"]] for key, said in cards.items()}
    assert ignored["q1"] == [True, None, False, None]
    assert not any(any(filter(None, found)) for key, found in ignored.items() if key != "q1")
    assert "ignored" not in cards["q1"][RELSEL]["marks"][0]
