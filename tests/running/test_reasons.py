"""Reasons are put into words that name what changed."""

from __future__ import annotations

import pytest

from utility_annotation.running.dry_run import changed_parameters

CODE = ("0123456789abcdef", "fedcba9876543210")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (
            ['{"backbone":{"model":"m"},"training":{"epochs":2,"temperature":1.0}}'],
            ['{"backbone":{"model":"m"},"training":{"epochs":3,"seed":1,"temperature":1.0}}'],
            ["changed settings (training.epochs, training.seed)"],
        ),
        (["{}"], ['{"a":null}'], ["changed settings (a)"]),
        ([CODE[0]], [CODE[1]], ["changed code"]),
        ([["aa"]], [["bb"]], ["changed content of a file of yours"]),
        (['{"a":[1]}', CODE[0]], ['{"a":[2]}', CODE[1]], ["changed settings (a)", "changed code"]),
        (["python"], ["python3"], ["changed parameters"]),
    ],
)
def test_what_differs_is_named(before: list[object], now: list[object], said: list[str]) -> None:
    assert changed_parameters(map(repr, before), map(repr, now)) == said
