"""Simulated time and disk: bounds that no schedule beats, and temporary files that go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.audit.estimate import Estimate
from utility_annotation.audit.plan import Job, Output
from utility_annotation.audit.schedule import Task, critical_path, overrunning, simulate, tasks


@st.composite
def plans(draw: st.DrawFn) -> list[Task]:
    """Tasks with arbitrary needs among earlier ones, some on up to four GPUs, each with a temporary file."""
    number = draw(st.integers(1, 14))
    planned = []
    for place in range(number):
        needs = draw(st.sets(st.integers(0, place - 1), max_size=3)) if place else set()
        planned.append(
            Task(
                id=place,
                seconds=draw(st.floats(0, 100)),
                gpus=draw(st.integers(0, 4)),
                cores=draw(st.integers(1, 4)),
                needs=frozenset(needs),
                kept=draw(st.integers(0, 9)),
                temporary={f"t{place}": draw(st.integers(0, 9))},
                takes=frozenset(f"t{needed}" for needed in needs),
            )
        )
    return planned


@given(plans(), st.integers(4, 9), st.integers(4, 9), st.sampled_from([None, 3]))
def test_no_schedule_is_shorter_than_its_longest_chain_or_its_work(
    planned: list[Task], gpus: int, cores: int, seed: int | None
) -> None:
    found = simulate(planned, gpus=gpus, cores=cores, seed=seed)
    slack = 1e-9 * max(1, found.seconds)
    assert found.seconds >= critical_path(planned) - slack
    assert found.seconds >= sum(task.seconds * task.gpus for task in planned) / gpus - slack
    assert found.seconds >= sum(task.seconds * task.cores for task in planned) / cores - slack
    assert found.seconds <= sum(task.seconds for task in planned) + slack
    assert set(found.ended) == {task.id for task in planned}


@given(plans(), st.integers(4, 9))
def test_each_task_waits_for_what_it_needs(planned: list[Task], gpus: int) -> None:
    ended = simulate(planned, gpus=gpus, cores=8).ended
    for task in planned:
        for needed in task.needs:
            assert ended[needed] <= ended[task.id] - task.seconds + 1e-9


@given(plans())
def test_at_the_end_no_temporary_file_is_left_and_the_peak_lies_between(planned: list[Task]) -> None:
    found = simulate(planned, gpus=4, cores=4)
    kept, temporary = sum(task.kept for task in planned), sum(sum(task.temporary.values()) for task in planned)
    assert found.left == kept
    assert kept <= found.peak <= kept + temporary


def test_temporary_files_go_before_the_next_ones_are_made() -> None:
    """Two retrievers, a corpus in two shards each, one GPU: the vectors of one are there at a time."""
    planned = []
    for run in (0, 3):
        shards = {f"{run}/{shard}": 10.0 for shard in (0, 1)}
        planned += [
            Task(id=run + place, seconds=5, gpus=1, temporary={path: size})
            for place, (path, size) in enumerate(shards.items())
        ]
        planned.append(
            Task(id=run + 2, seconds=1, gpus=1, needs=frozenset({run, run + 1}), takes=frozenset(shards), kept=1)
        )
    assert simulate(planned, gpus=1, cores=1).peak == 10 + 10 + 1 + 1
    assert simulate(planned, gpus=4, cores=4).peak == 42


def test_scratch_lies_there_only_while_its_task_runs() -> None:
    planned = [Task(id=0, seconds=1, scratch=50, kept=1), Task(id=1, seconds=1, scratch=40, kept=1)]
    assert simulate(planned, gpus=0, cores=1).peak == 51
    assert simulate(planned, gpus=0, cores=2).peak == 92
    assert simulate(planned, gpus=0, cores=1).left == 2


def test_a_task_that_asks_for_more_than_there_is_takes_longer_in_proportion() -> None:
    training = [Task(id=0, seconds=10, gpus=8, cores=8)]
    assert simulate(training, gpus=8, cores=8).seconds == 10
    assert simulate(training, gpus=2, cores=8).seconds == 40
    assert simulate([Task(id=0, seconds=10, cores=8)], gpus=0, cores=2).seconds == 40


def test_busy_is_the_share_of_the_gpus_time_in_which_they_work() -> None:
    planned = [Task(id=0, seconds=10, gpus=1), Task(id=1, seconds=5, gpus=1)]
    assert simulate(planned, gpus=2, cores=4).busy == pytest.approx(15 / 20)


def estimate(number: int, *, needs: tuple[int, ...] = (), group: str | None = None, **keys: object) -> Estimate:
    job = Job(id=number, rule="r", needs=needs, group=group, gpus=1, outputs=(Output(path=f"o{number}"),))
    return Estimate.model_validate({"job": job, "seconds": 10, "bytes": (100,)} | keys)


def test_jobs_of_a_group_that_wait_for_each_other_are_one_task() -> None:
    chain = [estimate(0, group="a"), estimate(1, needs=(0,), group="a"), estimate(2, needs=(1,), group="a")]
    other = [estimate(3, group="a"), estimate(4, needs=(2, 3))]
    found = {task.id: task for task in tasks([*chain, *other])}
    assert set(found) == {0, 3, 4}
    assert (found[0].seconds, found[0].gpus, found[0].kept) == (30, 1, 300)
    assert found[4].needs == {0, 3}
    assert simulate(found.values(), gpus=4, cores=4).seconds == 40


def test_a_group_has_the_wall_time_of_its_jobs_together() -> None:
    def job(number: int, runtime: int | None, seconds: float, *needs: int) -> Estimate:
        made = Job(id=number, rule="r", needs=needs, group="a", runtime=runtime)
        return Estimate(job=made, seconds=seconds)

    assert overrunning([job(0, 1, 100), job(1, 2, 10, 0)]) == set()
    assert overrunning([job(0, 1, 100), job(1, 2, 90, 0)]) == {0, 1}
    assert overrunning([job(0, 1, 100), job(1, None, 90, 0), job(2, 1, 61)]) == {2}


def test_what_a_job_makes_anew_is_not_counted_twice() -> None:
    (task,) = tasks([estimate(0, replaced=80)])
    assert simulate([task], gpus=1, cores=1).left == 20


def test_a_job_whose_time_is_not_known_takes_none() -> None:
    (task,) = tasks([estimate(0, seconds=None, unknown="its rate")])
    assert task.seconds == 0
