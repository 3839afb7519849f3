"""What jobs ask for against what partitions allow."""

from __future__ import annotations

from plans import job, run

from utility_annotation.readiness.cluster import Partition, Request, partitions
from utility_annotation.readiness.rows import Row

CPU = Partition("cpu", minutes=2880, mem_mb=64000, cpus=16, default=True)
GPU = Partition("gpu", minutes=1440, mem_mb=64000, cpus=16, gpus=4)
LARGE = Partition("gpu", minutes=1440, mem_mb=512000, cpus=64, gpus=8)


def said(*requests: Request, submits: bool = True) -> list[Row]:
    planned = run(job("train"), sections={}, requests=requests, partitions=[CPU, GPU, LARGE], submits=submits)
    return list(partitions(planned))


def test_requests_that_fit_are_one_row() -> None:
    (row,) = said(Request("evaluate", 120, 4000, 1, 0, "cpu"), Request("train", 900, 44000, 8, 8, "gpu"))
    assert (row.state, row.about) == ("ready", "every job fits a partition")


def test_what_is_too_much_is_named() -> None:
    (row,) = said(Request("train", 1920, 44000, 8, 4, "gpu"))
    assert (row.name, row.state) == ("train", "not ready")
    assert row.about == "asks too much of partition gpu: 1,920 minutes of 1,440"


def test_the_largest_request_of_a_rule_speaks_for_all() -> None:
    (row,) = said(*(Request("encode", minutes, 8000, 8, 1, "gpu") for minutes in (1500, 4000, 2000)))
    assert "4,000 minutes" in row.about


def test_a_job_needs_one_node_that_has_all_it_asks_for() -> None:
    apart = [Partition("gpu", mem_mb=64000, cpus=16, gpus=8), Partition("gpu", mem_mb=512000, cpus=16, gpus=1)]
    asked = [Request("train", 60, 128000, 8, 8, "gpu")]
    (row,) = partitions(run(job("train"), sections={}, requests=asked, partitions=apart, submits=True))
    assert row.state == "not ready"


def test_a_partition_that_slurm_lacks_is_named_with_those_that_it_has() -> None:
    (row,) = said(Request("train", 60, 4000, 8, 1, "h100"))
    assert (row.name, row.state) == ("h100", "not ready")
    assert row.about == "SLURM has none of this name; it has cpu, gpu"
    assert "generate-slurm-partition-config" in row.fix


def test_a_request_without_a_partition_goes_to_the_default_one() -> None:
    (row,) = said(Request("train", 60, 4000, 8, 1))
    assert row.about == "fits no partition of the profile, and asks too much of partition cpu: 1 GPUs of 0"


def test_where_nothing_is_submitted_any_partition_will_do() -> None:
    (row,) = said(Request("train", 60, 4000, 8, 1), submits=False)
    assert row.state == "ready"
