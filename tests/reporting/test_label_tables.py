"""The table of label sets: its rows and figures, and the formats in which it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import table as script
from configured import write_configuration

from utility_annotation.common.files import write_json
from utility_annotation.reporting.label_tables import label_cells, label_table
from utility_annotation.reporting.metrics import read_published
from utility_annotation.reporting.settings import LabelTableSettings
from utility_annotation.reporting.tables import Table
from utility_annotation.reporting.writers import to_latex, to_markdown

LABELS: dict[str, dict[str, Any]] = {
    "human": {"source": "human"},
    "qwen-utilsel": {"source": "utilsel", "annotator": "qwen-2.5-32b-int8"},
    "qwen-utilrank": {"source": "utilrank", "annotator": "qwen-2.5-32b-int8", "top_percent": 10},
    "qwen-utilrank-20": {"source": "utilrank", "annotator": "qwen-2.5-32b-int8", "top_percent": 20},
    "qwen-replug": {"source": "replug", "annotator": "qwen-2.5-32b-int8"},
    "gained": {"source": "gain-short", "annotator": "qwen-2.5-32b-int8", "metric": "f1", "margin": 0.2},
}
PUBLISHED = Path(__file__).parents[2] / "resources" / "paper" / "published.csv"


def quality(
    labels: str,
    precision: float | None,
    kappa: float | None,
    *unread: int,
    completed: int | None = None,
    ignored: int = 0,
) -> dict[str, Any]:
    """Figures of a label set of 200 queries; ``unread``: empty, unparsable, truncated, error."""
    outcomes = dict(zip(("empty", "unparsable", "truncated", "error"), unread, strict=False))
    return {
        "labels": labels,
        "queries": 200,
        "ignored": ignored,
        "selection": precision and {"precision": precision, "recall": 84.8, "positives_per_query": 2.9},
        "agreement": kappa and {"kappa": kappa},
        "annotation": {"queries": 200, "outcomes": {"ok": 1} | outcomes, "completed": completed} if unread else None,
    }


QUALITIES = [
    quality("human", 100.0, None),
    quality("qwen-utilsel", 30.0, 0.4, 3, 4, 1, 1),
    quality("qwen-utilrank", 70.0, 0.5, 0, 0, 0, 0, completed=30),
    quality("qwen-utilrank-20", 40.0, 0.5, 0, 0, 0, 0),
    quality("qwen-replug", None, None, 0, 0, 0, 2),
    quality("gained", 50.0, 0.3, 0, 0, 0, 0),
]


def table(*names: str, qualities: list[dict[str, Any]] = QUALITIES, **changes: Any) -> Table:
    raw = {
        "table": {"title": "Labels", "labels": names} | changes,
        "labels": {name: {"pool": "p"} | LABELS[name] for name in names},
    }
    settings = LabelTableSettings.model_validate(raw)
    paper = read_published(settings.table.published, PUBLISHED)
    return label_table(settings.table, label_cells(settings, qualities, paper))


def rows(*names: str, **changes: Any) -> list[list[str]]:
    """The Markdown table's rows, its headings first."""
    lines = [line for line in to_markdown(table(*names, **changes)).splitlines() if line.startswith("| ")]
    return [[text.strip() for text in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_a_row_per_label_set_with_its_strategy_and_figures() -> None:
    headings, *found = rows("qwen-utilsel", "qwen-utilrank", "human")
    qwen = "qwen-2.5-32b-int8"
    assert headings[:3] == ["labels", "annotator", "strategy"]
    assert [heading.lower() for heading in headings[3:]] == [
        *("precision", "recall", "positives per query", "kappa", "empty", "unparsable", "completed")
    ]
    assert found == [
        ["qwen-utilsel", qwen, "utilsel", "30.0", "84.8", "2.9", "0.400", "1.5", "3.0", ""],
        ["qwen-utilrank", qwen, "utilrank, 10 %", "70.0", "84.8", "2.9", "0.500", "0.0", "0.0", "15.0"],
        ["human", "", "human", "100.0", "84.8", "2.9", "", "", "", ""],
    ]


def test_a_strategy_by_a_metric_of_answers_names_it_and_the_margin() -> None:
    assert rows("gained")[1][:4] == ["gained", "qwen-2.5-32b-int8", "gain-short, F1 by 0.2", "50.0"]


def test_ignored_passages_have_a_column_where_a_label_set_ignores_some(monkeypatch: pytest.MonkeyPatch) -> None:
    qwen = LABELS["qwen-utilsel"]
    monkeypatch.setitem(LABELS, "sure", qwen | {"ignore": "relsel"})
    qualities = [*QUALITIES, quality("sure", 40.0, 0.5, 0, 0, 0, 0, ignored=500)]
    headings, *found = rows("sure", "qwen-utilsel", "qwen-replug", qualities=qualities, published="1")
    column = [heading.lower() for heading in headings].index("ignored per query")
    assert [row[column] for row in found] == ["2.5", "0.0", ""]
    assert [row[2] for row in found] == ["utilsel, relsel ignored", "utilsel", "replug"]
    assert [row[3] for row in found][:1] == ["40.0"], "the paper has no figures of such labels"
    assert any("neither positive nor negative" in note for note in table("sure", qualities=qualities).notes)


def test_scores_have_no_precision_and_recall() -> None:
    assert rows("qwen-replug")[1][3:] == ["", "", "", "", "0.0", "1.0", ""]


def test_the_papers_figures_stand_below_those_of_the_same_annotator_and_strategy() -> None:
    found = rows("qwen-utilsel", "human", published="1")
    below = "<br><small>{}</small>".format
    assert found[1][3:7] == [
        "30.0" + below("29.5 (+0.5)"),
        "84.8" + below("84.8 (+0.0)"),
        "2.9" + below("2.9 (+0.0)"),
        "0.400",
    ]
    assert found[2][3:7] == ["100.0", "84.8", "2.9", ""]
    notes = table("human", published="1").notes
    assert any("table 1 of the paper" in note for note in notes)


def test_the_papers_ranking_is_that_of_its_threshold() -> None:
    cells = table("qwen-utilrank", "qwen-utilrank-20", published="1").cells
    published = cells[cells["metric"] == "precision"].set_index("labels")["published"]
    assert published["qwen-utilrank"] == 71.3
    assert published.isna()["qwen-utilrank-20"]


def test_a_frame_has_a_line_per_label_set_and_figure() -> None:
    cells = table("qwen-utilsel").cells
    assert list(cells["metric"]) == [
        "precision", "recall", "positives_per_query", "kappa", "empty", "unparsable", "completed",
    ]  # fmt: skip
    first = cells.iloc[0]
    assert (first["labels"], first["annotator"], first["strategy"]) == ("qwen-utilsel", "qwen-2.5-32b-int8", "utilsel")
    assert first["value"] == 30.0


def test_the_latex_table_uses_booktabs_and_escapes() -> None:
    text = to_latex(table("qwen-utilrank"))
    assert r"\begin{tabular}{lllrrrrrrr}" in text
    assert r"\toprule" in text
    assert r"qwen-utilrank & qwen-2.5-32b-int8 & utilrank, 10 \% & 70.0 & 84.8" in text


def test_the_script_writes_all_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for labels in ("human", "useful"):
        write_json(Path("results/quality") / f"{labels}.json", quality(labels, 30.0, None))
    file = write_configuration(tmp_path, label_tables={"quality": {"title": "t", "labels": ["human", "useful"]}})
    script.main(["labels", "--config", file, "--table", "quality", "--published", "--output", "t.md"])
    assert "useful,llm,utilsel,0,,,precision,,30.0,1" in Path("t.csv").read_text()
    assert "| useful" in Path("t.md").read_text()
    assert r"useful & llm & utilsel & 30.0" in Path("t.tex").read_text()
