"""What answers take, in tables and figures: columns beside the metrics, prices, panels by tokens, and calibrations."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import plot as script
import pytest
from configured import write_configuration
from test_results_tables import grid

from utility_annotation.common.files import write_json
from utility_annotation.evaluation.answer_work import WORK as COLUMNS
from utility_annotation.io.schemas import PER_QUERY
from utility_annotation.labels.calibration import METHODS
from utility_annotation.reporting import figures
from utility_annotation.reporting.figures import plot_calibrations, plot_results
from utility_annotation.reporting.metrics import read_metrics, read_published
from utility_annotation.reporting.results import result_cells, results_table
from utility_annotation.reporting.settings import ResultsTableSettings
from utility_annotation.reporting.tables import read_csv, to_csv, with_texts
from utility_annotation.reporting.writers import to_latex, to_markdown
from utility_annotation.selection.reliability import calibrate
from utility_annotation.settings import Cost, ResultsTable

PNG = b"\x89PNG\r\n\x1a\n"
TABLE = ResultsTable.model_validate(
    {
        "title": "Answers",
        "qa": ["task"],
        "generators": ["llm"],
        "bm25_answers": True,
        "reranked": ["again"],
        "selected": ["sure"],
        "baseline": "again",
        "correction": "none",
        "answer_work": list(COLUMNS),
    }
)
PRICES = Cost(gpu_hour_usd=3.6)
"""A tenth of a cent for a second."""
ROWS = {"bm25": "bm25", "again": "reranked", "sure": "selected", "sure-seed7": "selected"}
VALUES = {
    "bm25": [0.1, 0.2, 0.3, 0.2],
    "again": [0.1, 0.2, 0.3, 0.2],
    "sure": [0.2, 0.4, 0.6, 0.6],
    "sure-seed7": [0.2, 0.4, 0.4, 0.6],
}
WORK: dict[str, dict[str, float | None]] = {
    "bm25": {"passages": 5.0, "tokens": 1234.5678, "abstained": 0.0, "seconds": None},
    "again": {"passages": 5.0, "tokens": 1200.4, "abstained": 0.0, "seconds": 0.5},
    "sure": {"passages": 1.25, "tokens": 400.0, "abstained": 0.125, "seconds": 0.25},
    "sure-seed7": {"passages": 1.75, "tokens": 500.0, "abstained": 0.25, "seconds": 0.35},
}


def write(folder: Path, *names: str) -> list[Path]:
    """The metrics of answers from the passages of these rankings."""
    paths = []
    for name in names or ("bm25", "again", "sure"):
        paths.append(folder / f"{name}.json")
        figures = {"em": float(np.mean(VALUES[name]))}
        found = {"backbone": ROWS[name], "training": name, "qa": "task", "generator": "llm", "queries": 4}
        write_json(paths[-1], found | {"metrics": figures, "work": WORK[name]})
        rows = [{"query_id": f"q{place}", "metric": "em", "value": value} for place, value in enumerate(VALUES[name])]
        PER_QUERY.write(paths[-1].with_suffix(".per-query.parquet"), PER_QUERY.rows(rows))
    return paths


def frame(
    files: list[Path], table: ResultsTable = TABLE, prices: Cost | None = PRICES, **settings: Any
) -> pd.DataFrame:
    return result_cells(ResultsTableSettings(table=table, prices=prices, **settings), files, read_published(None, None))


def shown(cells: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The text of each cell by row and metric."""
    return {(cell.row, cell.metric): cell.shown for cell in with_texts(cells).itertuples()}


def changed(**changes: Any) -> ResultsTable:
    return TABLE.model_copy(update=changes)


def test_each_figure_has_its_label_and_its_decimals(tmp_path: Path) -> None:
    text = to_markdown(results_table(TABLE, frame(write(tmp_path)), prices=PRICES))
    heads, bm25, again, sure = (row for row in grid(text) if any(row))
    names = ("EM", "Passages", "Tokens", "Abstained", "Seconds", "USD per 1,000")
    assert heads[-6:] == [f"task/llm<br>{name}" for name in names]
    assert bm25[-5:] == ["5.0", "1,235", "0.0", "", ""]
    assert again[-5:] == ["5.0", "1,200", "0.0", "0.50", "0.50"]
    assert sure[-5:] == ["1.2", "400", "12.5", "0.25", "0.25"]


def test_what_an_answer_takes_has_no_marks_and_no_standing_and_its_metric_has(tmp_path: Path) -> None:
    table = changed(selected=("sure", "sure-seed7"))
    stages = dict.fromkeys(table.selected, ("reranked", "again"))
    cells = frame(write(tmp_path, *ROWS), table, first_stages=stages)
    work = cells[cells["metric"].isin(COLUMNS)]
    assert len(work) == len(ROWS) * len(COLUMNS)
    assert set(work["marks"]) == set(work["standing"]) == {""}
    assert work[["low", "high", "gain", "p_baseline", "p_second_baseline", "detectable"]].isna().all(axis=None)
    em = {cell.row: cell for cell in cells[cells["metric"] == "em"].itertuples()}
    assert [(em[name].standing, em[name].marks) for name in table.selected] == [("best", "+†"), ("second", "")]
    assert all(cell.low <= cell.value <= cell.high for cell in em.values())
    lines = [row for row in grid(to_markdown(results_table(table, cells, prices=PRICES))) if any(row)]
    assert all(re.fullmatch(r"[\d.,]*", text) for row in lines[1:] for text in row[-len(COLUMNS) :])
    assert r"\textbf{400" not in to_latex(results_table(table, cells, prices=PRICES))


def test_the_price_is_that_of_the_seconds_of_a_thousand_answers(tmp_path: Path) -> None:
    files = write(tmp_path, "again", "bm25")
    dear = shown(frame(files, prices=Cost(gpu_hour_usd=720)))
    assert dear["again", "usd_per_1000"] == "100.00"
    assert dear["bm25", "usd_per_1000"] == "", "its seconds are not known"
    free = shown(frame(files, prices=Cost(gpu_hour_usd=0)))
    assert free["again", "usd_per_1000"] == "0.00"
    assert ("again", "usd_per_1000") not in shown(frame(files, prices=None))


def test_of_several_seeds_it_is_the_mean_with_its_spread(tmp_path: Path) -> None:
    cells = frame(write(tmp_path, "sure", "sure-seed7"), seeds={"sure": ("sure", "sure-seed7")})
    found = shown(cells)
    assert found["sure", "passages"] == "1.5 ± 0.4"
    assert found["sure", "tokens"] == "450 ± 71"
    assert found["sure", "abstained"] == "18.8 ± 8.8"
    assert found["sure", "seconds"] == "0.30 ± 0.07"
    assert found["sure", "usd_per_1000"] == "0.30 ± 0.07"
    assert set(cells.loc[cells["row"] == "sure", "seeds"]) == {2}


def test_only_what_a_table_asks_for_is_shown_in_its_order(tmp_path: Path) -> None:
    cells = frame(write(tmp_path), changed(answer_work=("seconds", "tokens")), prices=None)
    assert list(dict.fromkeys(cells["metric"])) == ["em", "seconds", "tokens"]
    with_metrics = frame(write(tmp_path), changed(answer_work=("abstained",), metrics=("em",)), prices=None)
    assert list(dict.fromkeys(with_metrics["metric"])) == ["em", "abstained"]


def test_a_table_without_answer_work_shows_and_says_nothing_of_it(tmp_path: Path) -> None:
    files, table = write(tmp_path), changed(answer_work=())
    cells = frame(files, table, prices=None)
    assert set(cells["metric"]) == {"em"}
    assert set(read_metrics(files, {})["metric"]) == {"em"}
    notes = " ".join(results_table(table, cells).notes)
    assert "What an answer takes" not in notes
    assert "USD" not in notes


def test_the_notes_say_what_is_counted_and_at_what_price(tmp_path: Path) -> None:
    cells = frame(write(tmp_path))
    priced, without = (" ".join(results_table(TABLE, cells, prices=prices).notes) for prices in (PRICES, None))
    assert "What an answer takes, per question" in priced
    assert "USD: at 3.6 USD per GPU hour, for 1,000 questions." in priced
    assert "What an answer takes, per question" in without
    assert "USD:" not in without


def test_answers_of_an_earlier_version_without_the_work_leave_the_cells_empty(tmp_path: Path) -> None:
    (file,) = write(tmp_path, "sure")
    found = {"backbone": "selected", "training": "sure", "qa": "task", "generator": "llm", "queries": 4}
    write_json(file, found | {"metrics": {"em": 0.45}})
    cells = frame([file, *write(tmp_path, "again")])
    texts = shown(cells)
    assert texts["sure", "em"] == "45.0"
    assert {texts["sure", metric] for metric in COLUMNS} == {""}


def test_the_csv_file_keeps_exact_figures_and_their_decimals(tmp_path: Path) -> None:
    cells = frame(write(tmp_path))
    to_csv(cells, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        lines = {(line["row"], line["metric"]): (line["value"], line["decimals"]) for line in csv.DictReader(file)}
    assert lines["bm25", "tokens"] == ("1234.5678", "0")
    assert lines["sure", "abstained"] == ("12.5", "1")
    assert lines["sure", "seconds"] == ("0.25", "2")
    assert shown(read_csv(tmp_path / "table.csv")) == shown(cells)


def texts(svg: Path) -> list[str]:
    """Every piece of text in the figure, which matplotlib names in comments beside their outlines."""
    assert svg.with_suffix(".png").read_bytes().startswith(PNG)
    text = svg.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    return re.findall(r"<!-- (.+?) -->", text)


def panels(svg: Path) -> int:
    return len(re.findall(r'<g id="axes_\d+">', svg.read_text(encoding="utf-8")))


def test_a_chart_with_tokens_has_panels_by_tokens(tmp_path: Path) -> None:
    plot_results(TABLE, frame(write(tmp_path)), tmp_path / "figure.svg")
    found = texts(tmp_path / "figure.svg")
    assert panels(tmp_path / "figure.svg") == 2
    assert found.count("task/llm: EM") == 2, "the bars, and the same by tokens"
    assert found.count("tokens per question") == 1
    assert found.count("percent, with 95 % interval") == 1
    assert {"BM25", "again", "sure"} <= set(found)
    assert not {"Passages", "Tokens", "Seconds"} & set(found), "what an answer takes has no bars of its own"


@pytest.mark.parametrize("work", [(), ("passages", "seconds")])
def test_a_chart_without_tokens_has_bars_alone(tmp_path: Path, work: tuple[str, ...]) -> None:
    table = changed(answer_work=work)
    plot_results(table, frame(write(tmp_path), table, prices=None), tmp_path / "figure.svg")
    assert panels(tmp_path / "figure.svg") == 1
    assert "tokens per question" not in texts(tmp_path / "figure.svg")


def test_a_mark_stands_at_its_tokens_and_its_metric(tmp_path: Path) -> None:
    cells = frame(write(tmp_path))
    with matplotlib.rc_context():
        axis = matplotlib.figure.Figure().add_subplot()
        by_metric = {metric: cells[cells["metric"] == metric] for metric in ("em", "tokens")}
        figures._draw_by_tokens(axis, "heading", by_metric["em"], by_metric["tokens"])
    marks = {text.get_text(): text.xy for text in axis.texts}
    assert marks == {
        "BM25": (pytest.approx(1234.5678), pytest.approx(20)),
        "again": (pytest.approx(1200.4), pytest.approx(20)),
        "sure": (pytest.approx(400), pytest.approx(45)),
    }
    assert axis.get_xlim()[0] == 0
    assert axis.get_xlim()[1] > 1235


def calibration(**names: str) -> dict[str, Any]:
    generator = np.random.default_rng(1)
    scores = generator.normal(size=60)
    positive = generator.random(60) < 1 / (1 + np.exp(-scores))
    names = {"reranker": "cross", "training": "useful", "labels": "asked"} | names
    return names | calibrate(scores, positive, np.repeat(np.arange(20), 3))


def test_each_calibration_has_its_reliability_and_what_thresholds_keep(tmp_path: Path) -> None:
    plot_calibrations([calibration(), calibration(training="useful-seed7")], tmp_path / "figure.svg")
    found = texts(tmp_path / "figure.svg")
    assert panels(tmp_path / "figure.svg") == 4
    assert found.count("cross/useful on asked") == found.count("cross/useful-seed7 on asked") == 2
    assert found.count("share of positives") == found.count("F1 of what is kept (percent)") == 2
    assert [found.count(name) for name in METHODS] == [1] * len(METHODS), "one legend"


def test_without_calibrations_the_figure_says_so(tmp_path: Path) -> None:
    plot_calibrations([], tmp_path / "figure.svg")
    assert texts(tmp_path / "figure.svg") == ["Nothing is calibrated."]


def test_the_script_draws_the_calibrations_of_shown_selected_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(Path("results/calibrations/cross/utilsel/own.json"), calibration(training="utilsel", labels="own"))
    file = write_configuration(
        tmp_path,
        rerankers={"cross": {"model": "m"}},
        reranked={"again": {"retriever": "bm25/bm25", "reranker": "cross/utilsel"}},
        selected={"sure": {"retriever": "reranked/again", "labels": "own"}},
        tables={"t": {"title": "t", "testsets": ["dev"], "selected": ["sure"], "baseline": None}},
    )
    script.main(["calibration", "--config", file, "--output", "figure.svg"])
    assert "cross/utilsel on own" in texts(tmp_path / "figure.svg")
