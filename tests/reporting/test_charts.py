"""Line charts and label charts: what is drawn, what is left out, and the points beside the figure."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plot as script
import pytest
from configured import write_configuration

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import PER_QUERY
from utility_annotation.labels.annotators import SharedJudge
from utility_annotation.reporting.figures import line_cells, plot_lines, plot_positives
from utility_annotation.reporting.settings import LineChartSettings
from utility_annotation.reporting.tables import to_csv
from utility_annotation.settings import LineChart

PNG = b"\x89PNG\r\n\x1a\n"
CHART: dict[str, Any] = {
    "title": "By share",
    "x_label": "share",
    "backbone": "minilm",
    "testset": "dev",
    "metric": "mrr@10",
    "series": [
        {"name": "selected", "points": {"100": "all", "20": "fifth"}},
        {"name": "ranked", "points": {"2.5": "few"}},
    ],
    "levels": ["human"],
}


def metrics(folder: Path, testset: str = "dev", **values: float) -> list[Path]:
    paths = [folder / f"{training}.json" for training in values]
    for path, (training, value) in zip(paths, values.items(), strict=True):
        found = {
            "backbone": "minilm",
            "training": training,
            "testset": testset,
            "queries": 9,
            "metrics": {"mrr@10": value},
        }
        write_json(path, found)
        write_per_query(path, "mrr@10", [value / 2, value, 3 * value / 2])
    return paths


def write_per_query(metrics: Path, metric: str, values: Sequence[float]) -> None:
    """The values of questions beside a metrics file."""
    rows = [{"query_id": f"q{place}", "metric": metric, "value": value} for place, value in enumerate(values)]
    PER_QUERY.write(metrics.with_suffix(".per-query.parquet"), PER_QUERY.rows(rows))


def quality(labels: str, distribution: list[int] | None) -> dict[str, Any]:
    selection = distribution and {"distribution": distribution, "positives_per_query": 1.0}
    return {"labels": labels, "source": "human", "queries": sum(distribution or [9]), "selection": selection}


def texts(folder: Path) -> list[str]:
    """The texts of the SVG, which matplotlib names in comments beside their outlines."""
    assert (folder / "figure.png").read_bytes().startswith(PNG)
    return re.findall(r"<!-- (.+?) -->", (folder / "figure.svg").read_text(encoding="utf-8"))


def lines(
    folder: Path,
    files: list[Path],
    labels_of: dict[str, str] | None = None,
    qualities: Sequence[dict[str, Any]] = (),
    shared_judges: tuple[SharedJudge, ...] = (),
    **changes: Any,
) -> list[str]:
    chart = LineChart.model_validate(CHART | changes)
    settings = LineChartSettings(chart=chart, labels=labels_of or {}, shared_judges=shared_judges)
    cells = line_cells(settings, files, qualities)
    to_csv(cells, folder / "figure.csv")
    plot_lines(settings, cells, folder / "figure.svg")
    return texts(folder)


def points(folder: Path) -> list[list[str]]:
    with (folder / "figure.csv").open(newline="") as file:
        return [[line[name] for name in ("series", "x", "training", "value")] for line in csv.DictReader(file)]


ALL = {"all": 0.4, "fifth": 0.375, "few": 0.3, "human": 0.386}


def test_a_line_has_its_name_and_its_ticks_and_a_level_its_figure(tmp_path: Path) -> None:
    found = lines(tmp_path, metrics(tmp_path, **ALL))
    assert {"By share", "share", "dev: MRR@10 (percent)", "selected", "ranked", "human (38.6)"} <= set(found)
    assert found[:3] == ["2.5", "20", "100"]


def test_the_points_stand_beside_the_figure_from_left_to_right(tmp_path: Path) -> None:
    lines(tmp_path, metrics(tmp_path, **ALL))
    assert points(tmp_path) == [
        ["selected", "20", "fifth", "37.5"],
        ["selected", "100", "all", "40.0"],
        ["ranked", "2.5", "few", "30.0"],
        ["", "", "human", "38.6"],
    ]


def test_a_point_has_the_interval_of_its_questions(tmp_path: Path) -> None:
    lines(tmp_path, metrics(tmp_path, all=0.4, few=0.3))
    with (tmp_path / "figure.csv").open(newline="") as file:
        ends = {line["training"]: (line["low"], line["high"]) for line in csv.DictReader(file)}
    assert ends["fifth"] == ends["human"] == ("", ""), "they were not computed"
    low, high = map(float, ends["all"])
    assert 20 <= low < 40 < high <= 60


def test_what_was_not_computed_is_left_out_and_told(tmp_path: Path) -> None:
    found = lines(tmp_path, metrics(tmp_path, all=0.4, few=0.3))
    assert "not computed: fifth, human" in found
    assert "20" not in found
    assert not any("human (" in text for text in found)
    assert ["selected", "20", "fifth", ""] in points(tmp_path)


def test_a_chart_without_any_figure_says_so(tmp_path: Path) -> None:
    assert lines(tmp_path, metrics(tmp_path, **ALL), metric="map@10") == ["By share: nothing was evaluated."]


def test_figures_of_the_labels_have_panels_of_their_own(tmp_path: Path) -> None:
    """Figure 3b: MRR@10, and precision and recall of the labels, by threshold."""
    selections = {"wide": (20.0, 90.0), "narrow": (60.0, 50.0), "people": (100.0, 100.0)}
    qualities = [
        {"labels": name, "selection": {"precision": precision, "recall": recall, "positives_per_query": 1.0}}
        for name, (precision, recall) in selections.items()
    ]
    of = {"all": "wide", "fifth": "narrow", "few": "narrow", "human": "people"}
    found = lines(tmp_path, metrics(tmp_path, **ALL), of, qualities, label_metrics=["precision", "recall"])
    names = ("dev: MRR@10", "labels: Precision", "labels: Recall")
    assert {"By share", *(f"{name} (percent)" for name in names)} <= set(found)
    with (tmp_path / "figure.csv").open(newline="") as file:
        drawn = {(line["training"], line["metric"]): float(line["value"]) for line in csv.DictReader(file)}
    assert drawn["all", "precision"] == 20
    assert drawn["fifth", "recall"] == 50
    assert drawn["human", "precision"] == 100
    assert drawn["human", "mrr@10"] == 38.6


def test_a_judge_that_made_labels_is_told_below_the_figure(tmp_path: Path) -> None:
    shared = SharedJudge(testset="dev", annotator="qwen", trainings=("all",))
    found = lines(tmp_path, metrics(tmp_path, **ALL), shared_judges=(shared,))
    assert "dev is judged by qwen, which made labels" in found


def test_two_lines_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two series have the same name"):
        LineChart.model_validate(CHART | {"series": [CHART["series"][0]] * 2})


def test_the_same_points_give_the_same_file(tmp_path: Path) -> None:
    files = metrics(tmp_path, **ALL)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        lines(tmp_path / name, files)
    first, second = ((tmp_path / name / "figure.svg").read_bytes() for name in ("first", "second"))
    assert first == second


def labels(folder: Path, qualities: list[dict[str, Any]]) -> list[str]:
    plot_positives(qualities, folder / "figure.svg", "Positives")
    return texts(folder)


def test_label_sets_are_drawn_in_the_order_of_the_chart(tmp_path: Path) -> None:
    found = labels(tmp_path, [quality("utilsel", [1, 2, 1]), quality("human", [0, 9])])
    assert "Positives" in found
    assert [text for text in found if "mean" in text] == ["utilsel (mean 1.0)", "human (mean 1.0)"]


def test_a_label_set_that_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has scores, but no positives"):
        labels(tmp_path, [quality("replug", None)])


def test_the_script_draws_the_charts_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for training, value in {"human": 0.4, "utilsel": 0.5}.items():
        (written,) = metrics(tmp_path, **{training: value})
        target = Path("results/metrics/minilm") / training / "dev.json"
        target.parent.mkdir(parents=True)
        written.rename(target)
        written.with_suffix(".per-query.parquet").rename(target.with_suffix(".per-query.parquet"))
    write_json(Path("results/quality/human.json"), quality("human", [0, 9]))
    chart = CHART | {"series": [{"name": "s", "points": {"1": "utilsel"}}]}
    labelled = {"title": "t", "labels": ["human"]}
    file = write_configuration(tmp_path, line_charts={"share": chart}, label_charts={"positives-of": labelled})
    script.main(["lines", "--config", file, "--figure", "share", "--output", "figure.svg"])
    assert points(tmp_path) == [["s", "1", "utilsel", "50.0"], ["", "", "human", "40.0"]]
    assert "human (40.0)" in texts(tmp_path)
    script.main(["labels", "--config", file, "--figure", "positives-of", "--output", "figure.svg"])
    assert "human (mean 1.0)" in texts(tmp_path)
