"""The paper's figures: equal, cell for cell, to the lists they were taken from."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.reporting.published import Place, figures_beside, read_published

HEAD = "table,backbone,row,column,metric,value,doubtful\n"
TABLES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "13", "14", "16", "17")
TASKS = {
    ("4", "msmarco-qa"): "msmarco-qa-top1",
    ("13", "msmarco-qa"): "msmarco-qa-top5",
    ("5", "nq"): "nq-qa",
    ("5", "hotpotqa"): "hotpotqa-qa",
}


@pytest.fixture(scope="module")
def ours(root: Path) -> dict[tuple[str, Place], tuple[float, bool]]:
    """Table and place of each figure, with whether it is doubtful."""
    path = root / "resources" / "paper" / "published.csv"
    return {
        (table, Place(*place)): (value, doubtful)
        for table in TABLES
        for place, value, doubtful in read_published(path, table).itertuples(name=None)
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


@pytest.mark.parametrize(
    ("text", "table", "message"),
    [
        ("table,row\n", "1", "does not have the columns"),
        (HEAD + "1,a,b,c,d,x,false\n", "1", "line 2: value 'x' is not a number"),
        (HEAD + "1,a,b,c,d,1.0,maybe\n", "1", "line 2: .*doubtful 'maybe'"),
        (HEAD + "1,a,b,c,d,1.0,false\n1,a,b,c,d,2.0,false\n", "1", "line 3: a, b, c, d is there twice"),
        (HEAD + "1,a,b,c,d,1.0,false\n", "2", "there is no table '2'"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, text: str, table: str, message: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"published\.csv.*{message}"):
        read_published(path, table)


def test_figures_that_are_asked_for_must_be_given() -> None:
    assert figures_beside(None, None).empty
    with pytest.raises(InputError, match="this table has `published`, but the paper's figures are not given"):
        figures_beside("17", None)
