"""Rates: which one counts, how it becomes seconds, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.annotation.stages import STAGES
from utility_annotation.audit.rates import Amount, NotKnown, Rates, own_name, own_rates
from utility_annotation.audit.tables import KnownModel, Rate, RateTable
from utility_annotation.engines.throughput import Speed, record_speed
from utility_annotation.planning import answers
from utility_annotation.planning.loading import load
from utility_annotation.settings import Configuration

SIZE = KnownModel(model="org/m", parameters=3e9, multiplied=2e9, dimension=8, bytes=4_000, source="a model card")
NAMES = ("org/m", "m")


def rate(**keys: object) -> Rate:
    return Rate.model_validate(
        {"device": "gpu", "work": "prompt", "rate": 100, "basis": "measured", "source": "a test's own"} | keys
    )


PROMPTS = Amount("prompt", 1000, SIZE, NAMES)


def seconds(*rates: Rate, amount: Amount = PROMPTS, gpus: int = 1, threads: int = 1) -> float:
    return Rates([RateTable(rates=rates)], "gpu").time([amount], gpus=gpus, threads=threads)


REPLY_RATE = rate(work="reply", rate=8_000, per="weight byte")  # five seconds of 10 tokens


@pytest.mark.parametrize(
    ("memory", "gpus", "took"),
    [
        (4_000 + 32 * 100, 1, 5),
        (1e9, 1, 5),  # no more than the rate has
        (4_000 + 8 * 100, 1, 20),  # a quarter of the replies under way
        (2_000 + 16 * 100, 2, 2.5),  # the weights are shared out
    ],
)
def test_replies_are_as_many_at_a_time_as_the_gpus_memory_has_room_for(memory: float, gpus: int, took: float) -> None:
    amount = Amount("reply", 10, SIZE, NAMES, cache=100)
    tables = [RateTable(rates=(REPLY_RATE,)), RateTable(rates=(), memory={"gpu": memory})]
    assert Rates(tables, "gpu").time([amount], gpus=gpus, threads=1) == pytest.approx(took)
    half = replace(amount, memory_fraction=0.5)
    doubled = [tables[0], RateTable(rates=(), memory={"gpu": 2 * memory})]
    assert Rates(doubled, "gpu").time([half], gpus=gpus, threads=1) == pytest.approx(took)


def test_a_model_that_does_not_fit_is_said_to_need_more_gpus() -> None:
    amount = Amount("reply", 10, SIZE, NAMES, cache=100)
    table = RateTable(rates=(REPLY_RATE,), memory={"gpu": 4_050})
    with pytest.raises(NotKnown, match=r"how m is to fit 1 gpu \(.*`performance\.annotate\.gpus_of`\)"):
        Rates([table], "gpu").time([amount], gpus=1, threads=1)
    assert Rates([table], "gpu").time([amount], gpus=2, threads=1) == pytest.approx(2.5)


def test_a_measured_rate_of_replies_holds_whatever_the_memory() -> None:
    amount = Amount("reply", 1000, SIZE, NAMES, cache=100)
    table = RateTable(rates=(rate(work="reply"),), memory={"gpu": 1})
    assert Rates([table], "gpu").time([amount], gpus=1, threads=1) == 10


ON_CPU, ON_SERVER = rate(device="cpu", rate=50), Amount("prompt", 1000, SIZE, NAMES, device="server")
TWO_STARTS = Amount("start", 2)
START = Rate(device="*", work="start", seconds=3, basis="measured", source="a test's own")


@pytest.mark.parametrize(
    ("known", "asked", "took"),
    [
        ([rate()], {}, 10),
        ([rate()], {"gpus": 4}, 2.5),
        ([ON_CPU], {"gpus": 0, "threads": 2}, 10),  # cores count in proportion to those of the measurement
        ([ON_CPU], {"gpus": 0, "threads": 1}, 20),
        ([ON_CPU], {"gpus": 0, "threads": 8}, 2.5),
        ([rate(rate=1), rate(rate=200, model="org/m"), rate(rate=5, model="org/m")], {}, 5),  # its own, the first
        ([rate(rate=1), rate(rate=9, model="org/other")], {}, 1000),
        ([rate(device="*", rate=1), rate(rate=100)], {}, 10),  # of its own device before that of any
        ([rate(device="*", rate=50)], {}, 20),
        ([rate(device="server")], {"amount": ON_SERVER, "gpus": 4}, 10),  # whatever the job has
        ([rate(device="server")], {"amount": ON_SERVER, "gpus": 0, "threads": 8}, 10),
        ([rate(rate=1e12, per="FLOP")], {}, 1000 * 2 * 2e9 / 1e12),
        (
            [rate(work="train", rate=1e12, per="FLOP")],
            {"amount": Amount("train", 1000, SIZE, NAMES)},
            1000 * 6 * 2e9 / 1e12,
        ),
        ([rate(work="reply", rate=8_000, per="weight byte")], {"amount": Amount("reply", 10, SIZE, NAMES)}, 5),
        ([START], {"amount": TWO_STARTS, "gpus": 8}, 6),
        ([], {"amount": Amount("reply", 0, SIZE, NAMES)}, 0),
    ],
)
def test_the_best_known_rate_becomes_seconds(known: list[Rate], asked: dict[str, Any], took: float) -> None:
    assert seconds(*known, **asked) == pytest.approx(took)


def test_an_earlier_table_comes_before_a_later_one_whatever_these_say() -> None:
    earlier, later = RateTable(rates=(rate(rate=10),)), RateTable(rates=(rate(rate=500, model="org/m"),))
    assert Rates([earlier, later], "gpu").time([PROMPTS], gpus=1, threads=1) == 100
    assert Rates([later, earlier], "gpu").time([PROMPTS], gpus=1, threads=1) == 2


@pytest.mark.parametrize(
    ("known", "amount", "said"),
    [
        ([], Amount("prompt", 1, SIZE, NAMES), "a rate of prompt of model m on device gpu"),
        ([rate(device="cpu")], Amount("prompt", 1, SIZE, NAMES), "a rate of prompt of model m on device gpu"),
        ([rate(per="FLOP")], Amount("prompt", 1, None, ("x",)), "the size of the model that does the prompt"),
    ],
)
def test_what_is_not_known_is_said(known: list[Rate], amount: Amount, said: str) -> None:
    with pytest.raises(NotKnown, match=said):
        seconds(*known, amount=amount)


def test_rates_that_were_used_are_remembered_with_their_device() -> None:
    rates = Rates([RateTable(rates=(rate(), rate(device="*", work="load")))], "gpu")
    rates.time([Amount("prompt", 1000), Amount("load", 50)], gpus=1, threads=1)
    assert [(used.device, used.work) for used in rates.used.values()] == [("gpu", "prompt"), ("gpu", "load")]


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)
    annotators = {"a": {"model": "m"}, "b": {"model": "m"}}
    return load(
        {"models": {"m": {"hub": "org/m"}}, "datasets": {}, "annotators": annotators, "performance": {"threads": 2}}
    )


def test_an_engines_own_speed_comes_between_a_users_rates_and_the_shipped_ones(configuration: Configuration) -> None:
    record_speed(Path("results/completions/a"), "relsel", Speed(tokens=3000, device_seconds=10))
    own = own_rates(configuration, "gpu")
    other = RateTable(rates=(rate(device="cpu", model="org/m", rate=1),))

    def took(stage: str, *tables: RateTable) -> float:
        names = (own_name("a", stage), "org/m")
        return Rates(tables, "gpu").time([Amount("prompt", 600, None, names)], gpus=0, threads=2)

    assert took("relsel", own, other) == 2
    assert took("relsel", other, own) == 300
    assert took("answer", own, other) == 300


def test_the_speed_of_every_stage_and_of_question_answering_is_found(configuration: Configuration) -> None:
    stages = {*STAGES, answers.STAGE}
    for stage in stages:
        record_speed(Path("results/completions/b"), stage, Speed(tokens=30, device_seconds=10))
    found = own_rates(configuration, "gpu").rates
    assert {entry.model for entry in found} == {own_name("b", stage) for stage in stages}
    assert {entry.device for entry in found} == {"cpu"}


def test_a_recorded_speed_is_of_the_device_that_is_planned(configuration: Configuration) -> None:
    assert own_rates(configuration, "gpu").rates == ()
    record_speed(Path("results/completions/a"), "relsel", Speed(tokens=3000, device_seconds=10))
    on_gpus = load(configuration.model_dump() | {"performance": {"annotate": {"gpus": 1}}})
    assert {entry.device for entry in own_rates(on_gpus, "gpu").rates} == {"gpu"}
