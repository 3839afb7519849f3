"""What answers take: means over questions, and seconds at the speed that is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from utility_annotation.engines.throughput import device_seconds, tokens_a_device_second
from utility_annotation.evaluation.answer_work import WORK, work_of_answers
from utility_annotation.io.schemas import ABSTAINED


def job(**changes: Any) -> dict[str, Any]:
    """The summary of an LLM's job: 1,200 tokens in 6 seconds, and no stored ones."""
    summary = {
        "queries": 4,
        "passages": 10,
        "prompt_tokens": 1000,
        "new_tokens": 200,
        "tokens": 1200,
        "engine_seconds": 6.0,
        "seconds": 99.0,
        "gpus": 1,
        "earlier": None,
    }
    return summary | changes


ROWS = [
    {"outcome": "ok", "prompt_tokens": 500},
    {"outcome": "empty", "prompt_tokens": 300},
    {"outcome": "unparsable", "prompt_tokens": 200},
    {"outcome": ABSTAINED, "prompt_tokens": 0},
]
RERANKED = {"queries": 8, "passages": 400, "seconds": 4.0, "gpus": 1}
"""What a reranker's job did for more questions than were answered."""
SELECTED = {"queries": 8, "passages": 160, "kept": 20, "empty": 2}
"""A selection by scores takes no time of a device."""
ALL_STORED = {"prompt_tokens": 0, "new_tokens": 0, "engine_seconds": 0.0}
EARLIER = {"tokens": 500, "device_seconds": 5.0}


def test_means_by_hand() -> None:
    assert work_of_answers(ROWS, job()) == {"passages": 2.5, "tokens": 250, "abstained": 0.25, "seconds": 1.5}
    assert {*work_of_answers(ROWS, job()), "usd_per_1000"} == set(WORK)


def test_the_jobs_that_chose_the_passages_count_by_their_own_questions() -> None:
    assert work_of_answers(ROWS, job(), RERANKED)["seconds"] == 1.5 + 0.5
    assert work_of_answers(ROWS, job(), SELECTED, RERANKED)["seconds"] == 1.5 + 0.5
    by_llm = job(queries=2, tokens=100)
    assert work_of_answers(ROWS, job(), by_llm)["seconds"] == pytest.approx(1.5 + 100 / 200 / 2)
    assert work_of_answers(ROWS, job(), by_llm, RERANKED)["seconds"] == pytest.approx(1.5 + 0.25 + 0.5)
    nothing_found = {"queries": 0, "passages": 0, "seconds": 0.0, "gpus": 0}
    assert work_of_answers(ROWS, job(), nothing_found)["seconds"] == 1.5


def test_stored_replies_take_as_long_as_they_did_when_they_were_made() -> None:
    stored = job(**ALL_STORED, earlier=EARLIER)
    assert work_of_answers(ROWS, stored)["seconds"] == 1200 / 100 / 4
    a_part = job(prompt_tokens=100, new_tokens=20, engine_seconds=0.6, earlier=EARLIER)
    assert work_of_answers(ROWS, a_part)["seconds"] == pytest.approx(1200 / 200 / 4), "its own speed is the one"


@pytest.mark.parametrize("chosen", [[], [RERANKED]])
def test_seconds_are_unknown_where_no_speed_is_recorded(chosen: list[dict[str, Any]]) -> None:
    unknown = job(**ALL_STORED)
    found = work_of_answers(ROWS, unknown, *chosen)
    assert found == {"passages": 2.5, "tokens": 250, "abstained": 0.25, "seconds": None}
    assert work_of_answers(ROWS, job(), unknown, *chosen)["seconds"] is None


def test_questions_that_are_all_left_unasked_take_no_time() -> None:
    rows = [{"outcome": ABSTAINED, "prompt_tokens": 0}] * 2
    found = work_of_answers(rows, job(**ALL_STORED, tokens=0, passages=0))
    assert found == {"passages": 0, "tokens": 0, "abstained": 1, "seconds": 0}


def test_seconds_are_those_of_one_device() -> None:
    assert device_seconds(job(gpus=4)) == 24
    assert device_seconds(job(gpus=0)) == 6, "a CPU or a server is one device"
    assert device_seconds(RERANKED | {"gpus": 2}) == 8
    assert device_seconds(RERANKED | {"gpus": 0}) == 4


@pytest.mark.parametrize(
    ("jobs", "speed"),
    [
        ([job()], 200),
        ([job(gpus=2)], 100),
        ([job(), job(gpus=3)], 2400 / 24),
        ([job(**ALL_STORED, earlier=EARLIER), job()], 200),
        ([job(**ALL_STORED, earlier=EARLIER), job(**ALL_STORED, earlier={"tokens": 100, "device_seconds": 1.0})], 100),
        ([job(**ALL_STORED)], None),
        ([job(**ALL_STORED, earlier={"tokens": 0, "device_seconds": 0.0})], None),
        ([job(engine_seconds=0.0)], None),
        ([], None),
    ],
)
def test_the_speed_is_that_of_the_jobs_or_where_they_made_nothing_of_earlier_ones(
    jobs: list[dict[str, Any]], speed: float | None
) -> None:
    assert tokens_a_device_second(iter(jobs)) == speed
