"""The paper's figures: equal, cell for cell, to the lists they were taken from."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.reporting.metrics import read_published

TABLES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "13", "14", "16", "17")
TASKS = {
    ("4", "msmarco-qa"): "msmarco-qa-top1",
    ("13", "msmarco-qa"): "msmarco-qa-top5",
    ("5", "nq"): "nq-qa",
    ("5", "hotpotqa"): "hotpotqa-qa",
}


class Place(NamedTuple):
    """Where a figure stands."""

    backbone: str
    row: str
    column: str
    metric: str


@pytest.fixture(scope="module")
def ours(root: Path) -> dict[tuple[str, Place], tuple[float, bool]]:
    """Table and place of each figure, with whether it is doubtful."""
    path = root / "resources" / "paper" / "published.csv"
    return {
        (table, Place(*place)): (value, doubtful)
        for table in TABLES
        for *place, value, doubtful in read_published(table, path).itertuples(name=None, index=False)
    }


def _lines(root: Path, name: str) -> list[dict[str, str]]:
    path = root.parent / "shared" / "paper" / name
    if not path.is_file():
        pytest.skip("the paper's figures are not present beside the repository (../shared/paper)")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _result(line: dict[str, str]) -> tuple[str, Place]:
    """Where a line of results.csv stands with us."""
    table, dataset, metric = line["table"], line["dataset"], line["metric"].removesuffix(" (5 passages)")
    if line["generator"]:
        column = f"{TASKS[table, dataset]}/{line['generator']}"
    elif table == "9":
        column, metric = "nq-test", f"success@{metric.split('-')[1]}"
    else:
        column = "nq-answered" if (table, dataset) == ("5", "nq") else dataset
    backbone = "retromae-wiki" if table == "9" else line["backbone"]
    return table, Place(backbone, line["run"], column, metric)


def test_every_published_figure_is_that_of_its_source(
    root: Path, ours: dict[tuple[str, Place], tuple[float, bool]]
) -> None:
    due = {_result(line): float(line["value"]) for line in _lines(root, "results.csv")}
    for line in _lines(root, "annotation.csv"):
        for metric, column in (
            ("precision", "precision_of_human_positive"),
            ("recall", "recall_of_human_positive"),
            ("positives_per_query", "positives_per_query"),
        ):
            due["1", Place(line["annotator"], line["strategy"], "", metric)] = float(line[column])
    for line in _lines(root, "cost.csv"):
        for metric, column in (
            ("cost_usd", "cost_usd"),
            ("hours", "hours_on_8xA800"),
            ("mrr@10", "mrr@10"),
            ("recall@1000", "recall@1000"),
        ):
            if line[column]:
                due["17", Place("", line["annotation"], "", metric)] = float(line[column])
    assert {place: value for place, (value, _) in ours.items()} == due


def test_what_was_hard_to_read_is_doubtful(ours: dict[tuple[str, Place], tuple[float, bool]]) -> None:
    doubtful = {(table, place.row) for (table, place), (_, doubt) in ours.items() if doubt}
    losses = ("summarglh", "rand1lh")
    assert doubtful == {("16", f"utilrank-{percent} loss={loss}") for percent in (40, 50) for loss in losses}


def test_every_figure_is_there_once(root: Path, ours: dict[tuple[str, Place], tuple[float, bool]]) -> None:
    lines = (root / "resources" / "paper" / "published.csv").read_text().splitlines()
    assert len(lines) - 1 == len(ours)


def test_a_table_that_the_paper_does_not_have_is_told(root: Path) -> None:
    with pytest.raises(InputError, match=r"published\.csv.*there is no table '99'"):
        read_published("99", root / "resources" / "paper" / "published.csv")


def test_figures_that_are_asked_for_must_be_given() -> None:
    assert read_published(None, None).empty
    with pytest.raises(InputError, match="this table has `published`, but the paper's figures are not given"):
        read_published("17", None)
