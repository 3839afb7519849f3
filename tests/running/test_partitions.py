"""Partitions as `sinfo` prints them, of clusters that the tests' own SLURM is not like."""

from __future__ import annotations

from math import inf

import pytest

from utility_annotation.readiness.cluster import Partition
from utility_annotation.running.partitions import read


@pytest.mark.parametrize(
    ("line", "partition"),
    [
        ("cpu*|infinite|64000|16|(null)|up", Partition("cpu", inf, 64000, 16, 0, default=True)),
        ("gpu|2-00:00:00|515000|64|gpu:h100:8(S:0-1)|up", Partition("gpu", 2880, 515000, 64, 8)),
        ("short|30:00|1000|4|gpu:2|up", Partition("short", 30, 1000, 4, 2)),
        ("mixed|1:30:00|1000|4|gpu:a100:4(S:0),gpu:h100:2(S:1),lustre:1|up", Partition("mixed", 90, 1000, 4, 6)),
    ],
)
def test_a_line_of_sinfo_is_read(line: str, partition: Partition) -> None:
    assert list(read(line)) == [partition]


def test_partitions_that_are_down_are_none() -> None:
    assert not list(read("old|infinite|64000|16|(null)|down\nnew|infinite|64000|16|(null)|inact"))
