"""Calls that may hang or crash."""

from __future__ import annotations

import ctypes
import time

import pytest

from utility_annotation.documents.workers import each

pytestmark = pytest.mark.process


def _call(what: str) -> str:
    if what == "crash soon":
        time.sleep(1)
    if what.startswith("crash"):
        ctypes.string_at(0)
    if what == "hang":
        time.sleep(60)
    if what == "large":
        return str(len(bytes(1 << 40)))
    return what.upper()


def test_a_crash_and_a_hang_cost_their_own_result_alone() -> None:
    items = ["a", "crash", "b", "hang", "c", "d"]
    assert list(each(_call, items, 2, seconds=3)) == [
        ("a", "A"),
        ("crash", None),
        ("b", "B"),
        ("hang", None),
        ("c", "C"),
        ("d", "D"),
    ]


def test_a_crash_while_nobody_waits_costs_its_own_result_alone() -> None:
    found = []
    for item, result in each(_call, ["a", "crash soon", *map(str, range(20))], 2):
        if item == "a":
            time.sleep(3)
        found.append((item, result))
    assert found == [("a", "A"), ("crash soon", None), *((str(number), str(number)) for number in range(20))]


def test_memory_is_limited() -> None:
    assert list(each(_call, ["large", "a"], 1)) == [("large", None), ("a", "A")]
