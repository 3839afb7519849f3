"""What is made ahead comes in order, one at a time, and its errors with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from utility_annotation.common.prefetch import ahead


def test_the_next_is_made_beside_the_caller_and_no_more() -> None:
    made: list[int] = []
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    found = ahead(items())
    assert next(found) == 0
    assert second.wait(10)  # while the caller has the first
    assert made == [0, 1]
    assert list(found) == [1, 2, 3]


def test_an_error_comes_where_its_item_would_have() -> None:
    found = ahead(1 / number for number in (1, 2, 0, 4))
    assert [next(found), next(found)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_nothing_is_made_for_a_caller_that_has_gone() -> None:
    made: list[int] = []
    found = ahead(made.append(number) for number in range(100))
    next(found)
    found.close()
    assert len(made) <= 2


@pytest.mark.parametrize("items", [[], [None, None], [[]]])
def test_any_items(items: list) -> None:
    assert list(ahead(items)) == items
