"""Simulated time and disk: bounds that no schedule beats, and temporary files that go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.audit.estimate import Estimate
from utility_annotation.audit.plan import Job, Output
from utility_annotation.audit.schedule import chains, simulate


def estimate(
    number: int, seconds: float | None, *, kept: float = 0, temporary: float | None = None, **keys: Any
) -> Estimate:
    """A job with one output that stays or, of ``temporary`` bytes, one that goes."""
    output = Output(path=f"o{number}", temporary=temporary is not None)
    own = {name: keys.pop(name) for name in ("scratch", "replaced") if name in keys}
    job = Job(id=number, rule="r", outputs=(output,), **keys)
    return Estimate(job=job, seconds=seconds, bytes=(kept if temporary is None else temporary,), **own)


@st.composite
def plans(draw: st.DrawFn) -> list[Estimate]:
    """Jobs with arbitrary needs among earlier ones, some on up to four GPUs, each with a temporary file."""
    planned = []
    for place in range(draw(st.integers(1, 14))):
        needs = draw(st.sets(st.integers(0, place - 1), max_size=3)) if place else set()
        asked = {"gpus": draw(st.integers(0, 4)), "threads": draw(st.integers(1, 4))}
        made = estimate(place, draw(st.floats(0, 100)), temporary=draw(st.integers(0, 9)), needs=tuple(needs), **asked)
        job = made.job.model_copy(update={"takes": tuple(f"o{needed}" for needed in needs)})
        planned.append(made.model_copy(update={"job": job, "aside": draw(st.integers(0, 9))}))
    return planned


@given(plans(), st.integers(4, 9), st.integers(4, 9))
def test_no_schedule_is_shorter_than_its_longest_chain_or_its_work(
    planned: list[Estimate], gpus: int, cores: int
) -> None:
    found = simulate(planned, gpus=gpus, cores=cores).seconds
    slack = 1e-9 * max(1, found)
    assert found >= max(chains(planned).values()) - slack
    assert found >= sum(job.gpu_seconds for job in planned) / gpus - slack
    assert found >= sum(job.seconds * job.job.threads for job in planned) / cores - slack
    assert found <= sum(job.seconds for job in planned) + slack


@given(plans())
def test_the_peak_lies_between_what_stays_and_all_there_ever_was(planned: list[Estimate]) -> None:
    found = simulate(planned, gpus=4, cores=4)
    kept, temporary = sum(job.kept for job in planned), sum(sum(job.temporary.values()) for job in planned)
    assert kept <= found.peak <= found.unlucky_peak <= kept + temporary


def test_a_job_waits_for_what_it_needs_and_the_longest_chain_starts_first() -> None:
    planned = [
        estimate(0, 4),
        estimate(1, 1),
        estimate(2, 9, needs=(1,)),
    ]
    assert chains(planned) == {0: 4, 1: 10, 2: 9}
    assert simulate(planned, gpus=0, cores=1).seconds == 14
    assert simulate(planned, gpus=0, cores=2).seconds == 10


def test_vectors_go_when_they_are_searched_before_others_are_made() -> None:
    """Two encodings of 10 bytes and their searches: on one GPU one file of vectors lies there at a time."""
    planned = [
        estimate(0, 1, temporary=10, gpus=1),
        estimate(1, 1, temporary=10, gpus=1),
        estimate(2, 1, kept=1, gpus=1, needs=(0,), takes=("o0",)),
        estimate(3, 1, kept=1, gpus=1, needs=(1,), takes=("o1",)),
    ]
    assert simulate(planned, gpus=1, cores=4).peak == 12
    assert simulate(planned, gpus=2, cores=4).peak == 22


def test_scratch_counts_while_its_job_runs_and_what_is_replaced_is_not_counted_twice() -> None:
    assert simulate([estimate(0, 1, kept=3, scratch=5)], gpus=1, cores=1).peak == 8
    assert simulate([estimate(0, 1, kept=100, replaced=80)], gpus=1, cores=1).peak == 20


def test_a_job_gets_the_gpus_and_cores_that_there_are_for_longer() -> None:
    training = [estimate(0, 10, gpus=8)]
    assert simulate(training, gpus=8, cores=8).seconds == 10
    assert simulate(training, gpus=2, cores=8).seconds == 40
    assert simulate([estimate(0, 10, threads=8)], gpus=0, cores=2).seconds == 40


def test_busy_is_the_share_of_the_gpus_time_in_which_they_work() -> None:
    planned = [estimate(0, 10, gpus=1), estimate(1, 5, gpus=1)]
    assert simulate(planned, gpus=2, cores=4).busy == pytest.approx(15 / 20)


def test_a_job_whose_time_is_not_known_takes_none() -> None:
    assert simulate([estimate(0, None)], gpus=1, cores=1).seconds == 0
