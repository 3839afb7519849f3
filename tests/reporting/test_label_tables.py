"""The table of label sets: its rows and figures, and the formats in which it is written."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json, write_json, write_text
from utility_annotation.reporting.label_tables import LabelTableSettings, label_table
from utility_annotation.reporting.published import figures_beside

LABELS: dict[str, dict[str, Any]] = {
    "human": {"source": "human"},
    "qwen-utilsel": {"source": "utilsel", "annotator": "qwen-2.5-32b-int8"},
    "qwen-utilrank": {"source": "utilrank", "annotator": "qwen-2.5-32b-int8", "top_percent": 10},
    "qwen-utilrank-20": {"source": "utilrank", "annotator": "qwen-2.5-32b-int8", "top_percent": 20},
    "qwen-replug": {"source": "replug", "annotator": "qwen-2.5-32b-int8"},
}
PUBLISHED = Path(__file__).parents[2] / "resources" / "paper" / "published.csv"


def quality(folder: Path, labels: str, precision: float | None, kappa: float | None, *unread: int) -> Path:
    """Figures of a label set of 200 queries; ``unread``: empty, unparsable, truncated, error."""
    selection = precision and {"precision": precision, "recall": 84.8, "positives_per_query": 2.9}
    outcomes = dict(zip(("empty", "unparsable", "truncated", "error"), unread, strict=True)) if unread else None
    path = folder / f"{labels}.json"
    write_json(
        path,
        {
            "labels": labels,
            "selection": selection,
            "agreement": kappa and {"kappa": kappa},
            "annotation": outcomes and {"queries": 200, "outcomes": {"ok": 1} | outcomes},
        },
    )
    return path


def written(folder: Path, *names: str, **changes: Any) -> Path:
    """The table of label sets, in three formats, in a folder of its own."""
    files = [
        quality(folder, "human", 100.0, None),
        quality(folder, "qwen-utilsel", 30.0, 0.4, 3, 4, 1, 1),
        quality(folder, "qwen-utilrank", 70.0, 0.5, 0, 0, 0, 0),
        quality(folder, "qwen-utilrank-20", 40.0, 0.5, 0, 0, 0, 0),
        quality(folder, "qwen-replug", None, None, 0, 0, 0, 2),
    ]
    table = {"title": "Labels", "labels": names} | changes
    settings = {"table": table, "labels": {name: LABELS[name] for name in names}}
    qualities: list[Any] = list(map(read_json, files))
    paper = figures_beside(changes.get("published"), PUBLISHED)
    made = label_table(LabelTableSettings.model_validate(settings), qualities, paper)
    made.write_csv(folder / "table.csv")
    write_text(folder / "table.markdown", made.markdown())
    write_text(folder / "table.latex", made.latex())
    return folder


def rows(folder: Path) -> list[list[str]]:
    """The Markdown table's rows, its headings first."""
    lines = [line for line in (folder / "table.markdown").read_text().splitlines() if line.startswith("| ")]
    return [[text.strip() for text in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_a_row_a_label_set_with_its_strategy_and_figures(tmp_path: Path) -> None:
    found = rows(written(tmp_path, "qwen-utilsel", "qwen-utilrank", "human"))
    qwen = "qwen-2.5-32b-int8"
    assert found == [
        ["labels", "annotator", "strategy", "precision", "recall", "positives a query", "kappa", "empty", "unparsable"],
        ["qwen-utilsel", qwen, "utilsel", "30.0", "84.8", "2.9", "0.400", "1.5", "3.0"],
        ["qwen-utilrank", qwen, "utilrank, 10 %", "70.0", "84.8", "2.9", "0.500", "0.0", "0.0"],
        ["human", "", "human", "100.0", "84.8", "2.9", "", "", ""],
    ]


def test_scores_have_no_precision_and_recall(tmp_path: Path) -> None:
    found = rows(written(tmp_path, "qwen-replug"))
    assert found[1][3:] == ["", "", "", "", "0.0", "1.0"]


def test_the_papers_figures_stand_beside_those_of_the_same_annotator_and_strategy(tmp_path: Path) -> None:
    found = rows(written(tmp_path, "qwen-utilsel", "human", published="1"))
    assert found[0][3:7] == ["precision", "paper", "difference", "recall"]
    assert found[1][3:13] == ["30.0", "29.5", "+0.5", "84.8", "84.8", "+0.0", "2.9", "2.9", "+0.0", "0.400"]
    assert found[2][3:13] == ["100.0", "", "", "84.8", "", "", "2.9", "", "", ""]
    assert "Paper: its table 1;" in (tmp_path / "table.markdown").read_text()


def test_the_papers_ranking_is_that_of_its_threshold(tmp_path: Path) -> None:
    found = rows(written(tmp_path, "qwen-utilrank", "qwen-utilrank-20", published="1"))
    assert [row[4] for row in found[1:]] == ["71.3", ""]


def test_the_csv_has_a_line_a_label_set_and_figure(tmp_path: Path) -> None:
    with (written(tmp_path, "qwen-utilsel") / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["metric"] for line in lines] == [
        "precision", "recall", "positives_per_query", "kappa", "empty", "unparsable",
    ]  # fmt: skip
    assert lines[0] == {
        "labels": "qwen-utilsel",
        "annotator": "qwen-2.5-32b-int8",
        "strategy": "utilsel",
        "metric": "precision",
        "value": "30.0",
        "published": "",
        "difference": "",
    }


def test_the_latex_table_uses_booktabs_and_escapes(tmp_path: Path) -> None:
    text = (written(tmp_path, "qwen-utilrank") / "table.latex").read_text()
    assert r"\begin{tabular}{lllrrrrrr}" in text
    assert r"\toprule" in text
    assert r"qwen-utilrank & qwen-2.5-32b-int8 & utilrank, 10 \% & 70.0 & 84.8" in text


def test_a_label_set_without_figures_is_told(tmp_path: Path) -> None:
    settings = {"table": {"title": "Labels", "labels": ["human"]}, "labels": {"human": LABELS["human"]}}
    other: Any = read_json(quality(tmp_path, "other", 1.0, None))
    with pytest.raises(InputError, match="shows label set human, whose figures are not given"):
        label_table(LabelTableSettings.model_validate(settings), [other], {})
