"""Line charts and label charts: what is drawn, what is left out, and the points beside the figure."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json, write_json
from utility_annotation.reporting.figures import plot_labels
from utility_annotation.reporting.lines import chart_points, plot_lines, write_points
from utility_annotation.settings import LabelChart, LineChart

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
    return paths


def quality(folder: Path, labels: str, distribution: list[int] | None) -> Path:
    selection = distribution and {"distribution": distribution, "positives_per_query": 1.0}
    path = folder / f"{labels}.json"
    found = {"labels": labels, "source": "human", "queries": sum(distribution or [9]), "selection": selection}
    write_json(path, found)
    return path


def drawn(plot: Callable[[Path, Path], None], folder: Path) -> list[str]:
    """The texts of the SVG, which matplotlib names in comments beside their outlines."""
    svg, png = folder / "figure.svg", folder / "figure.png"
    plot(svg, png)
    assert png.read_bytes().startswith(PNG)
    return re.findall(r"<!-- (.+?) -->", svg.read_text(encoding="utf-8"))


def lines(folder: Path, files: list[Path], **changes: Any) -> list[str]:
    settings = LineChart.model_validate(CHART | changes)
    computed = chart_points(settings, files)
    write_points(folder / "figure.csv", computed)
    return drawn(partial(plot_lines, settings, computed), folder)


def points(folder: Path) -> list[list[str]]:
    with (folder / "figure.csv").open(newline="") as file:
        return list(csv.reader(file))


ALL = {"all": 0.4, "fifth": 0.375, "few": 0.3, "human": 0.386}


def test_a_line_has_its_name_and_its_ticks_and_a_level_its_figure(tmp_path: Path) -> None:
    texts = lines(tmp_path, metrics(tmp_path, **ALL))
    assert {"By share", "share", "dev: MRR@10 (percent)", "selected", "ranked", "human (38.6)"} <= set(texts)
    assert texts[:3] == ["2.5", "20", "100"]


def test_the_points_stand_beside_the_figure_from_left_to_right(tmp_path: Path) -> None:
    lines(tmp_path, metrics(tmp_path, **ALL))
    assert points(tmp_path) == [
        ["series", "x", "training", "percent"],
        ["selected", "20", "fifth", "37.5"],
        ["selected", "100", "all", "40.0"],
        ["ranked", "2.5", "few", "30.0"],
        ["", "", "human", "38.6"],
    ]


def test_what_was_not_computed_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        texts = lines(tmp_path, metrics(tmp_path, all=0.4, few=0.3))
    assert "not computed: fifth, human" in texts
    assert "20" not in texts
    assert not any("human (" in text for text in texts)
    assert ["selected", "20", "fifth", ""] in points(tmp_path)
    assert "mrr@10 of training fifth was not computed" in caplog.text


def test_a_chart_without_any_figure_says_so(tmp_path: Path) -> None:
    assert lines(tmp_path, metrics(tmp_path, **ALL), metric="map@10") == ["By share: nothing was evaluated."]


def test_metrics_of_another_test_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="on test set train, which the chart does not show"):
        lines(tmp_path, metrics(tmp_path, testset="train", all=0.4))


def test_two_lines_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two series have the same name"):
        LineChart.model_validate(CHART | {"series": [CHART["series"][0]] * 2})


def test_the_same_points_give_the_same_file(tmp_path: Path) -> None:
    files = metrics(tmp_path, **ALL)
    for name in ("first", "second"):
        lines(tmp_path / name, files)
    first, second = ((tmp_path / name / "figure.svg").read_bytes() for name in ("first", "second"))
    assert first == second


def labels(folder: Path, names: list[str], files: list[Path]) -> list[str]:
    settings = LabelChart.model_validate({"title": "Positives", "labels": names})
    qualities: list[Any] = list(map(read_json, files))
    return drawn(partial(plot_labels, settings, qualities), folder)


def test_label_sets_are_drawn_in_the_order_of_the_chart(tmp_path: Path) -> None:
    files = [quality(tmp_path, "human", [0, 9]), quality(tmp_path, "utilsel", [1, 2, 1])]
    texts = labels(tmp_path, ["utilsel", "human"], files)
    assert "Positives" in texts
    assert [text for text in texts if "mean" in text] == ["utilsel (mean 1.0)", "human (mean 1.0)"]


@pytest.mark.parametrize(
    ("name", "problem"), [("replug", "has no positives, but scores"), ("other", "has no figures here")]
)
def test_a_label_set_that_cannot_be_drawn_is_told(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        labels(tmp_path, [name], [quality(tmp_path, "replug", None)])
